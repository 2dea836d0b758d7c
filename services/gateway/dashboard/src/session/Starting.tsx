import styles from "./SignIn.module.css";

/** Before anything is known; it speaks only where that takes long. */
export function Starting({ problem }: { problem: string | null }) {
  return (
    <main className={styles["starting"]} aria-busy={problem === null}>
      <p role="status">{problem === null ? "Loading…" : `${problem} Trying again…`}</p>
    </main>
  );
}
