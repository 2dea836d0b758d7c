/** The tab's icon: it says from afar whether something burns. */
export type Look = "quiet" | "firing" | "burning" | "lost";

const FILES: Record<Look, string> = {
  quiet: "icon.svg",
  firing: "icon-firing.svg",
  burning: "icon-burning.svg",
  lost: "icon-lost.svg",
};

export function showInIcon(look: Look): void {
  const link = document.querySelector<HTMLLinkElement>("link[rel='icon']");
  const href = import.meta.env.BASE_URL + FILES[look];
  if (link !== null && link.getAttribute("href") !== href) link.setAttribute("href", href);
}
