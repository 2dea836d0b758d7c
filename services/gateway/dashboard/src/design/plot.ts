import type uPlot from "uplot";

const probe = document.createElement("span");

/** What a token comes to in this theme: a canvas knows no custom properties, nor light-dark(). */
export function colour(token: string): string {
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const DAY = 86_400;
const MONTH = 28 * DAY;
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const DATE = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const OF_YEAR = new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric" });

/** What stands below an axis of time, as the reader's system writes it: the day beside the first time of each. */
export function timesOf(_: uPlot, seconds: readonly number[], __: number, ___: number, step: number): string[] {
  const days = seconds.map((at) => DATE.format(at * 1000));
  return seconds.map((at, place) => {
    const day = days[place] ?? "";
    if (step >= MONTH) return OF_YEAR.format(at * 1000);
    if (step >= DAY) return day;
    return `${CLOCK.format(at * 1000)}${day === days[place - 1] ? "" : `\n${day}`}`;
  });
}

/** An axis in the colours of this theme. */
export function axis(): uPlot.Axis {
  const line = colour("--line");
  return {
    stroke: colour("--muted"),
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1 },
    font: "12px system-ui",
  };
}
