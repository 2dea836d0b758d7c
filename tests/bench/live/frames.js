// From `convexFrames.begin()` to `convexFrames.end()`: how long each frame took, which tasks held the page up, and how
// many changes of alerts its sockets heard.
(() => {
  let frames = [];
  let tasks = [];
  let changes = 0;
  let last = 0;
  let running = false;
  const observer = new PerformanceObserver((list) => note(list.getEntries()));
  const note = (entries) => {
    if (running) for (const { duration } of entries) tasks.push(duration);
  };
  observer.observe({ entryTypes: ["longtask"] });
  window.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        if (String(data).startsWith('{"type":"alert"')) changes += 1;
      });
    }
  };
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
      changes = 0;
      last = 0;
      running = true;
      requestAnimationFrame(step);
    },
    end: () => {
      note(observer.takeRecords());
      running = false;
      return { frames, tasks, changes, elements: document.getElementsByTagName("*").length };
    },
  };
})();
