import { useEffect, useMemo, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useDark } from "../../app/theme";
import { classes } from "../../design";
import legend from "../../design/Legend.module.css";
import { axis, colour, timesOf } from "../../design/plot";
import styles from "./insights.module.css";

const HEIGHT = 200;
/** How wide a letter of the axes is at most, on average. */
const LETTER = 6.5;

export interface Line {
  name: string;
  values: readonly (number | null)[];
  /** A token, such as `--accent`. */
  colour: string;
  dashed?: boolean;
}

/** Lines over time. What it shows is also said: `says` for those who do not see it. */
export function TimeChart(props: {
  times: readonly string[];
  lines: readonly Line[];
  says: string;
  format: (value: number) => string;
  /** By which amounts the figures beside the chart may go up; absent: by round decimal ones. */
  steps?: readonly number[];
}) {
  const { times, lines, says, format, steps } = props;
  const holder = useRef<HTMLDivElement>(null);
  const dark = useDark();
  const data = useMemo<uPlot.AlignedData>(
    () => [times.map((time) => Date.parse(time) / 1000), ...lines.map(({ values }) => [...values])],
    [times, lines],
  );
  const told = useRef(format);
  told.current = format;

  // biome-ignore lint/correctness/useExhaustiveDependencies: colours are read anew where it becomes dark or light
  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const made = new uPlot(
      options(element, lines, (value) => told.current(value), steps),
      data,
      element,
    );
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
    };
  }, [dark, data, lines, steps]);

  return (
    <figure className={styles["figure"]}>
      <div ref={holder} className={styles["chart"]} role="img" aria-label={says} />
      <figcaption className={classes(legend["legend"], styles["legend"])}>
        {lines.map(({ name, colour, dashed }) => (
          <span key={name} data-colour={colour} data-dashed={dashed ?? false}>
            {name}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

function options(
  element: HTMLElement,
  lines: readonly Line[],
  format: (value: number) => string,
  steps: readonly number[] | undefined,
): uPlot.Options {
  const series: uPlot.Series[] = lines.map(({ colour: name, dashed }) => ({
    stroke: colour(name),
    width: 1.75,
    points: { size: 4 },
    ...(dashed ? { dash: [5, 4] } : {}),
  }));
  const plain = axis();
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_, __, high) => [0, (high || 1) * 1.08] } },
    axes: [
      { ...plain, values: timesOf },
      {
        ...plain,
        size: (_, written) => 20 + LETTER * Math.max(4, ...(written ?? []).map(({ length }) => length)),
        values: (_, ticks) => ticks.map(format),
        ...(steps ? { incrs: [...steps] } : {}),
      },
    ],
    series: [{}, ...series],
  };
}
