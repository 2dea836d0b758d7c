export { type Api, type ApiOptions, createApi } from "./api.ts";
export type { AlertFrame, Position } from "./frames.ts";
export type { Events, Fault, State, StateDetail } from "./machine.ts";
export type { components, operations, paths } from "./openapi.generated.ts";
export { AlertSocket, type AlertSocketOptions, type Clock, type WebSocketClass, type WebSocketLike } from "./socket.ts";
export type { FeedPage, Gap, Scope } from "./subscriptions.ts";
export type { TokenSource } from "./token.ts";
export * from "./types.ts";
