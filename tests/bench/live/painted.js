// Notes when `painted-N` is first in the page's text, and when it has been painted: a frame's last task runs behind its paint.
(() => {
  const now = () => performance.timeOrigin + performance.now();
  const noted = (window.convexPainted = { inserted: {}, painted: {} });
  const { port1, port2 } = new MessageChannel();
  let inFrame = false;
  port1.onmessage = ({ data }) => {
    if (data === null) inFrame = false;
    else noted.painted[data] = now();
  };
  const nextFrame = window.requestAnimationFrame.bind(window);
  const begin = () => {
    if (inFrame) return;
    inFrame = true;
    port2.postMessage(null);
  };
  window.requestAnimationFrame = (callback) =>
    nextFrame((time) => {
      begin();
      callback(time);
    });
  const look = (text) => {
    for (const [, number] of text.matchAll(/painted-(\d+)/g)) {
      if (number in noted.inserted) continue;
      noted.inserted[number] = now();
      // What is inserted by a frame's own callback is painted in it, and everything else in the next one.
      if (inFrame) port2.postMessage(number);
      else
        nextFrame(() => {
          begin();
          port2.postMessage(number);
        });
    }
  };
  new MutationObserver((changes) => {
    for (const { target, addedNodes, type } of changes) {
      if (type === "characterData") look(target.data);
      for (const node of addedNodes) look(node.textContent ?? ""); // a doctype has none
    }
  }).observe(document, { childList: true, subtree: true, characterData: true });
})();
