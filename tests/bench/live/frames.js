// Notes how long each frame took and which tasks held the page up, from `convexFrames.begin()` to `convexFrames.end()`.
(() => {
  let frames = [];
  let tasks = [];
  let last = 0;
  let running = false;
  new PerformanceObserver((list) => {
    if (running) for (const { duration } of list.getEntries()) tasks.push(duration);
  }).observe({ entryTypes: ["longtask"] });
  const step = (now) => {
    if (!running) return;
    if (last > 0) frames.push(now - last);
    last = now;
    requestAnimationFrame(step);
  };
  window.convexFrames = {
    begin: () => {
      frames = [];
      tasks = [];
      last = 0;
      running = true;
      requestAnimationFrame(step);
    },
    end: () => {
      running = false;
      return { frames, tasks, elements: document.getElementsByTagName("*").length };
    },
  };
})();
