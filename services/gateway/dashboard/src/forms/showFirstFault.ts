/** Takes the reader to the first field that is wrong, once it is drawn so. */
export function showFirstFault(form: { current: HTMLElement | null }): void {
  requestAnimationFrame(() => {
    const field = form.current?.querySelector<HTMLElement>("[aria-invalid]");
    field?.focus();
    field?.scrollIntoView({ block: "center" });
  });
}
