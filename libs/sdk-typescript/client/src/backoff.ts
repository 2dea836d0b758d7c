export const FIRST = 500;
export const LAST = 30_000;

/** Milliseconds before a try: full jitter, so that a thousand clients of one gateway do not come back as one. */
export function pauseBefore(attempt: number, random: () => number): number {
  return random() * Math.min(LAST, FIRST * 2 ** Math.min(attempt, 16));
}
