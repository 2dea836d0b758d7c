import { useId } from "react";
import { Button } from "../design";
import styles from "./forms.module.css";
import { type Pair, pair } from "./labels";

/** Labels as rows that one adds to and takes from. */
export function LabelsField(props: {
  legend: string;
  pairs: readonly Pair[];
  onChange: (pairs: Pair[]) => void;
  hint?: string;
  error?: string | undefined;
}) {
  const { legend, pairs, onChange, hint, error } = props;
  const id = useId();
  const change = (key: string, part: Partial<Pair>) =>
    onChange(pairs.map((one) => (one.key === key ? { ...one, ...part } : one)));
  return (
    <fieldset className={styles["group"]} aria-describedby={error || hint ? id : undefined}>
      <legend className={styles["legend"]}>{legend}</legend>
      <div className={styles["rows"]}>
        {pairs.map(({ key, name, value }, index) => (
          <div key={key} className={styles["pair"]}>
            <input
              className={styles["control"]}
              aria-label={`Name of label ${index + 1}`}
              placeholder="team"
              autoComplete="off"
              value={name}
              onChange={(event) => change(key, { name: event.target.value })}
            />
            <input
              className={styles["control"]}
              aria-label={`Value of label ${index + 1}`}
              placeholder="shop"
              autoComplete="off"
              value={value}
              onChange={(event) => change(key, { value: event.target.value })}
            />
            <Button
              kind="quiet"
              aria-label={`Remove label ${name || index + 1}`}
              onClick={() => onChange(pairs.filter((one) => one.key !== key))}
            >
              ✕
            </Button>
          </div>
        ))}
        <div>
          <Button size="small" onClick={() => onChange([...pairs, pair()])}>
            Add a label
          </Button>
        </div>
      </div>
      {error || hint ? (
        <p id={id} className={error ? styles["error"] : styles["hint"]}>
          {error ?? hint}
        </p>
      ) : null}
    </fieldset>
  );
}
