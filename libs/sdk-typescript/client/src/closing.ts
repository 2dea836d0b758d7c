/** What a socket's end means for who wants to come back. */
export type Verdict = "retry" | "renew" | "stop";

export const TOKEN_EXPIRED = 4501;
export const GONE = 1006;

/** 4400–4499 say that another try would end the same way; everything else is worth one, 4501 with a new token. */
export function verdictOf(code: number): Verdict {
  if (code >= 4400 && code <= 4499) return "stop";
  return code === TOKEN_EXPIRED ? "renew" : "retry";
}
