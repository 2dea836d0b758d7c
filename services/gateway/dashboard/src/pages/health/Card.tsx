import type { ReactNode } from "react";
import styles from "../../forms/forms.module.css";
import { path } from "./figures";
import own from "./health.module.css";

/** A figure with what it is made of; the line shows what it was. */
export function Card(props: {
  title: string;
  figure: string;
  unit?: string;
  line?: readonly (number | null)[] | undefined;
  aside?: ReactNode;
  children?: ReactNode;
}) {
  const { title, figure, unit, line, aside, children } = props;
  return (
    <section className={styles["card"]} aria-label={title}>
      <div className={styles["head"]}>
        <h2>{title}</h2>
        {aside}
      </div>
      <div className={own["told"]}>
        <p>
          <span className={styles["figure"]}>{figure}</span> <span className={styles["muted"]}>{unit}</span>
        </p>
        {line && line.length > 1 ? (
          <svg className={own["spark"]} viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
            <path d={path(line)} />
          </svg>
        ) : null}
      </div>
      {children}
    </section>
  );
}
