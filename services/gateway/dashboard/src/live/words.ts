const NUMBER = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 });

/** A value as people read it; a dash where there is none. */
export const number = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : NUMBER.format(value);

/** A name of the API in words. */
export const words = (name: string): string => name.replaceAll("_", " ");
