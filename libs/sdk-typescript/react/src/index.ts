export { AlertFeed, type AlertFeedProps } from "./alert-feed.tsx";
export { Status, type StatusProps } from "./status.tsx";
export { type AlertWebSocket, type UseAlertWebSocketOptions, useAlertWebSocket } from "./use-alert-web-socket.ts";
