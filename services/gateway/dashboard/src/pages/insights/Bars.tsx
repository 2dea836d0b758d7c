import styles from "./Bars.module.css";

export interface BarsProps {
  /** What they count, for who does not see them. */
  label: string;
  counts: readonly number[];
  /** What is written below the first and the last. */
  first: string;
  last: string;
}

/** A small histogram. */
export function Bars({ label, counts, first, last }: BarsProps) {
  const most = Math.max(1, ...counts);
  if (counts.length === 0) return null;
  return (
    <div>
      <svg
        className={styles["bars"]}
        viewBox={`0 0 ${counts.length} 1`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${label}: ${counts.join(", ")}`}
      >
        {counts.map((count, place) => (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: a bar is its place
            key={place}
            className={styles["bar"]}
            x={place + 0.1}
            width={0.8}
            y={1 - count / most}
            height={count / most}
          />
        ))}
      </svg>
      <div className={styles["labels"]} aria-hidden="true">
        <span>{first}</span>
        <span>{label}</span>
        <span>{last}</span>
      </div>
    </div>
  );
}
