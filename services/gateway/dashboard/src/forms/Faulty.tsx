import styles from "./forms.module.css";
import { type Faults, unplaced } from "./problems";

/** What is wrong with a form as a whole, above its buttons. `fields` are those that say it themselves. */
export function Faulty({ error, faults, fields }: { error: unknown; faults: Faults; fields: readonly string[] }) {
  const loose = unplaced(faults, fields);
  const named = Object.keys(faults).length - loose.length;
  const message = error instanceof Error && Object.keys(faults).length === 0 ? error.message : null;
  if (message === null && loose.length === 0 && named === 0) return null;
  return (
    <div role="alert" className={styles["error"]}>
      {message === null ? null : <p>{message}</p>}
      {named === 0 ? null : <p>{named === 1 ? "One field is" : `${named} fields are`} not right yet; see above.</p>}
      {loose.map((one) => (
        <p key={one}>{one}</p>
      ))}
    </div>
  );
}
