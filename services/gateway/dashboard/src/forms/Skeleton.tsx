import styles from "./forms.module.css";

/** Where rows will be. */
export function Skeleton({ rows = 5 }: { rows?: number }) {
  return (
    <div className={styles["skeleton"]} role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
        <div key={index} className={styles["bone"]} />
      ))}
    </div>
  );
}
