import type { ReactNode } from "react";
import styles from "./EmptyState.module.css";

/** Says that there is nothing, and what to do about it. */
export function EmptyState({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className={styles["empty"]}>
      <p className={styles["title"]}>{title}</p>
      {children ? <div className={styles["told"]}>{children}</div> : null}
      {action}
    </div>
  );
}

/** Something could not be loaded or done. */
export function Problem({ error, retry }: { error: unknown; retry?: (() => void) | undefined }) {
  return (
    <div role="alert" className={styles["problem"]}>
      <span>{error instanceof Error ? error.message : String(error)}</span>
      {retry ? (
        <button type="button" className={styles["again"]} onClick={retry}>
          Try again
        </button>
      ) : null}
    </div>
  );
}

/** Something is being loaded; it is told after a while only, since most things come sooner. */
export function Loading({ what = "Loading…" }: { what?: string }) {
  return (
    <p role="status" className={styles["loading"]}>
      {what}
    </p>
  );
}
