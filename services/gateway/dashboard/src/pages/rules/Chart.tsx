import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { colour, timesOf } from "../../design/plot";
import type { Span } from "./firing";
import styles from "./rules.module.css";

export interface ChartProps {
  /** Seconds. */
  times: readonly number[];
  values: readonly (number | null)[];
  spans: readonly Span[];
  limit: number | null;
  clear: number | null;
  /** The reader moved the limit; absent: it stays where it is. */
  onLimit: ((limit: number) => void) | undefined;
  /** What it shows, for who cannot see it. */
  label: string;
}

const HEIGHT = 240;

/** Values over time, with the limit as a line that can be dragged, and bands where the rule would have fired. */
export function Chart(props: ChartProps) {
  const host = useRef<HTMLElement>(null);
  const plot = useRef<uPlot | null>(null);
  const line = useRef<HTMLDivElement | null>(null);
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    const at = host.current;
    if (at === null) return;
    const made = new uPlot(options(at, latest), dataOf(latest.current), at);
    plot.current = made;
    line.current = handle(made, latest);
    const resized = new ResizeObserver(() => made.setSize({ width: at.clientWidth, height: HEIGHT }));
    resized.observe(at);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const repaint = () => made.redraw(true, true);
    const themed = new MutationObserver(repaint);
    themed.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    dark.addEventListener("change", repaint);
    return () => {
      resized.disconnect();
      themed.disconnect();
      dark.removeEventListener("change", repaint);
      made.destroy();
      plot.current = null;
    };
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: drawn anew where what it shows is other than before
  useEffect(() => {
    const made = plot.current;
    if (made === null) return;
    made.setData(dataOf(props));
  }, [props.times, props.values, props.limit, props.clear, props.spans]);

  return <figure ref={host} className={styles["chart"]} aria-label={props.label} />;
}

function dataOf({ times, values }: ChartProps): uPlot.AlignedData {
  return [Array.from(times), Array.from(values)];
}

function options(at: HTMLElement, latest: { current: ChartProps }): uPlot.Options {
  const axis = {
    stroke: () => colour("--muted"),
    grid: { stroke: () => colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: at.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: { range: (_, low, high) => roomFor(latest.current, low, high) } },
    axes: [
      { ...axis, values: timesOf },
      { ...axis, size: 60 },
    ],
    series: [{}, { stroke: () => colour("--accent"), width: 1.5, points: { size: 4 }, spanGaps: false }],
    hooks: {
      drawClear: [(made) => bands(made, latest.current)],
      draw: [(made) => lines(made, latest.current)],
    },
  };
}

/** The limit is always in sight. */
function roomFor({ limit, clear }: ChartProps, low: number | null, high: number | null): [number, number] {
  const shown = [low, high, limit, clear].filter((value): value is number => value !== null && Number.isFinite(value));
  const bottom = Math.min(...shown, Number.POSITIVE_INFINITY);
  const top = Math.max(...shown, Number.NEGATIVE_INFINITY);
  if (!Number.isFinite(bottom)) return [0, 1];
  const room = (top - bottom || Math.abs(top) || 1) * 0.08;
  return [bottom >= 0 && bottom - room < 0 ? 0 : bottom - room, top + room];
}

function bands(made: uPlot, { spans, times }: ChartProps): void {
  const { ctx, bbox } = made;
  ctx.save();
  ctx.fillStyle = colour("--critical-soft");
  for (const { from, to } of spans) {
    const left = made.valToPos(from, "x", true);
    const right = made.valToPos(to ?? times.at(-1) ?? from, "x", true);
    ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
  }
  ctx.restore();
}

function lines(made: uPlot, { limit, clear }: ChartProps): void {
  const { ctx, bbox } = made;
  const across = (value: number | null, name: string, dash: number[]) => {
    if (value === null) return;
    const y = made.valToPos(value, "y", true);
    ctx.save();
    ctx.strokeStyle = colour(name);
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash(dash);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  };
  across(clear, "--good-mark", [6, 5]);
  across(limit, "--critical-mark", []);
}

/** What one takes the limit's line by, with pointer or arrow keys. */
function handle(made: uPlot, latest: { current: ChartProps }): HTMLDivElement {
  const grip = document.createElement("div");
  grip.className = styles["grip"] ?? "";
  grip.setAttribute("role", "slider");
  grip.setAttribute("aria-orientation", "vertical");
  grip.setAttribute("aria-label", "Threshold");
  made.over.append(grip);

  const place = () => {
    const { limit, onLimit } = latest.current;
    grip.hidden = limit === null || onLimit === undefined;
    if (limit === null) return;
    grip.tabIndex = 0;
    grip.style.transform = `translateY(${made.valToPos(limit, "y")}px)`;
    grip.setAttribute("aria-valuenow", String(limit));
    const { min, max } = made.scales["y"] ?? {};
    grip.setAttribute("aria-valuemin", String(min ?? limit));
    grip.setAttribute("aria-valuemax", String(max ?? limit));
  };
  made.hooks.draw = [...(made.hooks.draw ?? []), place];
  place();

  const step = () => {
    const { min, max } = made.scales["y"] ?? {};
    return nice(((max ?? 1) - (min ?? 0)) / 200);
  };
  const move = (value: number) => {
    const by = step();
    latest.current.onLimit?.(Number((Math.round(value / by) * by).toPrecision(12)));
  };
  grip.addEventListener("pointerdown", (press) => {
    grip.setPointerCapture(press.pointerId);
    press.preventDefault();
    grip.focus();
  });
  grip.addEventListener("pointermove", (drag) => {
    if (!grip.hasPointerCapture(drag.pointerId)) return;
    const { top, height } = made.over.getBoundingClientRect();
    move(made.posToVal(Math.min(Math.max(drag.clientY - top, 0), height), "y"));
  });
  grip.addEventListener("keydown", (press) => {
    const { limit } = latest.current;
    const by = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 }[press.key];
    if (by === undefined || limit === null) return;
    press.preventDefault();
    move(limit + by * step());
  });
  return grip;
}

/** The next of 1, 2, 5, 10, … */
function nice(step: number): number {
  if (!(step > 0)) return 1;
  const ten = 10 ** Math.floor(Math.log10(step));
  return [1, 2, 5, 10].map((factor) => factor * ten).find((one) => one >= step * 0.999) ?? ten;
}
