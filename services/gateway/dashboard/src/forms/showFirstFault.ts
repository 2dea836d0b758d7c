/** Takes the reader to the first field that is wrong. */
export function showFirstFault(form: HTMLElement | null): void {
  const field = form?.querySelector<HTMLElement>("[aria-invalid]");
  field?.focus();
  field?.scrollIntoView({ block: "center" });
}
