import { useSyncExternalStore } from "react";

/** One clock for everything that shows an age: it ticks each second while somebody looks. */
const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  if (document.hidden) return;
  now = Date.now();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    now = Date.now();
    timer = setInterval(tick, 1000);
    document.addEventListener("visibilitychange", tick);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
    document.removeEventListener("visibilitychange", tick);
  };
}

/** What `read` makes of the time; the component is drawn again only when that changes. */
export function useNow<Seen extends string | number | boolean>(read: (now: number) => Seen): Seen {
  return useSyncExternalStore(subscribe, () => read(Math.max(now, 0)));
}

const STEPS: readonly (readonly [below: number, unit: number, letter: string])[] = [
  [60, 1, "s"],
  [3600, 60, "m"],
  [86_400, 3600, "h"],
];

/** A length of time in one unit: 12s, 5m, 3h, 9d. */
export function briefly(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [, unit, letter] = STEPS.find(([below]) => seconds < below) ?? [0, 86_400, "d"];
  return `${Math.floor(seconds / unit)}${letter}`;
}

/** A length of time in up to two units: 1 h 5 min. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 && minutes < 10 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}

const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** Day and time, as the reader's system writes them. */
export const moment = (time: string | number): string => MOMENT.format(new Date(time));
export const clock = (time: string | number): string => CLOCK.format(new Date(time));
export const day = (time: string | number): string => DAY.format(new Date(time));

/** A time of today by its clock alone. */
export const soon = (time: string): string =>
  new Date(time).toDateString() === new Date().toDateString() ? clock(time) : moment(time);
