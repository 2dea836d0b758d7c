import type { ReactNode } from "react";
import { classes } from "./classes";
import styles from "./Table.module.css";

export interface FigureTableProps {
  /** What the figures are of, for screen readers. */
  label: string;
  /** What stands above each column, the first of which names the rows. */
  columns: readonly string[];
  /** The rows. */
  children: ReactNode;
}

/** A few rows of figures that stay in their order; it scrolls sideways where the page is narrow. */
export function FigureTable({ label, columns, children }: FigureTableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard
    <section className={styles["frame"]} tabIndex={0} aria-label={label}>
      <table className={classes(styles["table"], styles["figures"])}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}
