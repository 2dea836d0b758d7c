/** A token, or what gives one: it is asked again whenever a new one is needed. */
export type TokenSource = string | (() => string | Promise<string>);

export async function tokenOf(source: TokenSource): Promise<string> {
  return typeof source === "string" ? source : await source();
}
