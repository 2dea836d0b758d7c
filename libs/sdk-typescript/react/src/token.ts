import type { TokenSource } from "@convex-alerts/client";

/** What a token's source gives now, where a component still has one. */
export async function tokenNow(token: TokenSource | undefined): Promise<string> {
  if (token === undefined) throw new Error("there is no token any more");
  return typeof token === "string" ? token : await token();
}
