// The WebSocket: is let in by the session's cookie, subscribes, comes back by itself after where it was, and always says how it stands.

const FIRST_RETRY = 500;
const LAST_RETRY = 30_000;
const PING_EVERY = 20_000;
const PONG_WITHIN = 10_000;

export class Connection {
  // `on`: state(name, detail), alert(event, alert), reload(), refused(message)
  constructor(since, on) {
    this.since = since;
    this.on = on;
    this.tries = 0;
    this.replaying = 0;
    this.wanted = true;
    this.wakeUp = () => this.retryAt && this.open();
    addEventListener("online", this.wakeUp);
    this.open();
  }

  close() {
    this.wanted = false;
    removeEventListener("online", this.wakeUp);
    this.forget();
    this.socket?.close(1000);
  }

  open() {
    this.forget();
    this.on.state("connecting");
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws`, ["convex.v1"]);
    this.socket = socket;
    socket.addEventListener("message", (message) => socket === this.socket && this.take(JSON.parse(message.data)));
    socket.addEventListener("close", (closed) => socket === this.socket && this.closed(closed));
  }

  send(frame) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  take(frame) {
    clearTimeout(this.pongTimer);
    switch (frame.type) {
      case "auth_success":
        this.send({ type: "subscribe", ...(this.since ? { since: this.since } : {}) });
        this.pingTimer = setInterval(() => this.ping(), PING_EVERY);
        break;
      case "auth_failed":
        this.refusal = frame.message;
        break;
      case "subscribed":
        this.tries = 0;
        this.replaying = frame.replayed;
        // During a replay the position is that of each frame: a connection that breaks within resumes within.
        if (!frame.replayed) this.since = { epoch: frame.epoch, offset: frame.offset };
        this.on.state("connected");
        if (!frame.recovered) this.on.reload();
        break;
      case "alert":
        this.since = { epoch: this.since.epoch, offset: frame.offset };
        this.on.alert(frame.event, frame.data, this.replaying > 0);
        if (this.replaying) this.replaying -= 1;
        break;
      case "position":
        this.since = { epoch: this.since.epoch, offset: Math.max(this.since.offset, frame.offset) };
        this.on.state("connected");
        break;
      case "error":
        if (frame.code === "stale") this.on.state("stale");
        else console.warn("live feed:", frame.code, frame.message);
        break;
    }
  }

  ping() {
    this.send({ type: "ping" });
    this.pongTimer = setTimeout(() => this.abandon(), PONG_WITHIN);
  }

  // A connection that has gone silent takes minutes to close by itself.
  abandon() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.closed({ code: 1006, reason: "" });
  }

  closed({ code, reason }) {
    this.forget();
    if (!this.wanted) return;
    if (code >= 4400 && code <= 4499) return this.on.refused(this.refusal ?? reason);
    if (code === 4501) return this.on.refused("Your session has ended.");
    const most = Math.min(LAST_RETRY, FIRST_RETRY * 2 ** this.tries);
    this.tries += 1;
    const pause = most / 2 + Math.random() * (most / 2);
    this.retryAt = Date.now() + pause;
    this.retryTimer = setTimeout(() => this.open(), pause);
    const tell = () => this.on.state("reconnecting", Math.max(0, Math.ceil((this.retryAt - Date.now()) / 1000)));
    tell();
    this.tellTimer = setInterval(tell, 1000);
  }

  forget() {
    this.retryAt = null;
    clearTimeout(this.retryTimer);
    clearTimeout(this.pongTimer);
    clearInterval(this.pingTimer);
    clearInterval(this.tellTimer);
  }
}
