/** The window's title: how many alerts burn, the page, the product. Told from two places, so put together here. */
let page = "";
let firing = 0;

function write(): void {
  const name = page ? `${page} · Convex Alerts` : "Convex Alerts";
  const title = firing > 0 ? `(${firing}) ${name}` : name;
  if (document.title !== title) document.title = title;
}

export function nameOfPage(name: string): void {
  page = name;
  write();
}

export function countInTitle(count: number): void {
  firing = count;
  write();
}
