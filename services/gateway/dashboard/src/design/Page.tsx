import { type ReactNode, useEffect, useLayoutEffect, useRef } from "react";
import { classes } from "./classes";
import { nameOfPage } from "./documentTitle";
import styles from "./Page.module.css";

export interface PageProps {
  title: string;
  /** Beside the title: buttons. */
  actions?: ReactNode;
  /** Below the title, in a few words. */
  about?: ReactNode;
  /** Above the title: where it belongs to. */
  back?: ReactNode;
  /** It fills the window's height and scrolls within. */
  fills?: boolean;
  children: ReactNode;
}

/** A page: its heading, which gets the focus when one comes to it, and what it is about. */
export function Page({ title, actions, about, back, fills = false, children }: PageProps) {
  useEffect(() => nameOfPage(title), [title]);
  const heading = useRef<HTMLHeadingElement>(null);
  // Where a page is loaded first, or drawn in two steps, the focus waits at <main> for the heading to come.
  useLayoutEffect(() => {
    const element = heading.current;
    const main = element?.closest("main");
    if (!element || !main) return;
    if (document.activeElement === main) element.focus({ preventScroll: true });
    return () => {
      if (document.activeElement === element) main.focus({ preventScroll: true });
    };
  }, []);
  return (
    <div className={classes(styles["page"], fills && styles["fills"])}>
      {back ? <div className={styles["back"]}>{back}</div> : null}
      <div className={styles["head"]}>
        <div className={styles["words"]}>
          <h1 ref={heading} tabIndex={-1} className={styles["title"]}>
            {title}
          </h1>
          {about ? <div className={styles["about"]}>{about}</div> : null}
        </div>
        {actions ? <div className={styles["actions"]}>{actions}</div> : null}
      </div>
      {children}
    </div>
  );
}

/** A part of a page, with a heading. */
export function Section({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className={styles["section"]} aria-label={title}>
      <div className={styles["head"]}>
        <h2>{title}</h2>
        {actions ? <div className={styles["actions"]}>{actions}</div> : null}
      </div>
      {children}
    </section>
  );
}

/** Names and values, one below the other. */
export function Facts({ facts }: { facts: readonly (readonly [name: string, value: ReactNode])[] }) {
  return (
    <dl className={styles["facts"]}>
      {facts.map(([name, value]) =>
        value === null || value === undefined || value === "" ? null : (
          <div key={name} className={styles["fact"]}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}
