import type { Delivery } from "../../rest/types";

/** How a channel does, by its newest deliveries (the newest first). */
export interface ChannelHealth {
  tone: "good" | "warning" | "error" | "neutral";
  words: string;
  /** When it was last tried. */
  at: string | null;
  error: string | null;
}

export function healthOf(deliveries: readonly Delivery[]): ChannelHealth {
  const finished = deliveries.filter(({ status }) => status !== "pending");
  const last = finished[0];
  const waiting = deliveries.find(({ status, failures }) => status === "pending" && failures > 0);
  if (last === undefined) {
    if (waiting)
      return { tone: "warning", words: "is being tried again", at: waiting.created_at, error: waiting.last_error };
    return {
      tone: "neutral",
      words: deliveries.length > 0 ? "is on its way" : "nothing sent yet",
      at: null,
      error: null,
    };
  }
  const at = last.finished_at ?? last.created_at;
  if (last.status !== "delivered") return { tone: "error", words: last.status, at, error: last.last_error };
  const failed = finished.filter(({ status }) => status !== "delivered").length;
  if (waiting) return { tone: "warning", words: "is being tried again", at, error: waiting.last_error };
  if (failed > 0)
    return { tone: "warning", words: `delivered; ${failed} of the last ${finished.length} not`, at, error: null };
  return { tone: "good", words: "delivered", at, error: null };
}
