import { useId } from "react";
import { Button } from "../design";
import styles from "./forms.module.css";
import { type Matcher, type MatcherRow, OPERATOR_WORDS, OPERATORS, type Operator, row, written } from "./matchers";
import { type Faults, faultOf } from "./problems";

/** Tests on labels, all of which have to hold. `faults` are of `matchers[0]` and so on. */
export function MatchersField(props: {
  legend: string;
  rows: readonly MatcherRow[];
  onChange: (rows: MatcherRow[]) => void;
  hint?: string;
  faults: Faults;
  /** Names to offer. */
  names?: readonly string[];
}) {
  const { legend, rows, onChange, hint, faults, names = [] } = props;
  const id = useId();
  const change = (key: string, part: Partial<Matcher>) =>
    onChange(rows.map((one) => (one.key === key ? { ...one, ...part } : one)));
  const error = faultOf(faults, "matchers");
  return (
    <fieldset className={styles["group"]} aria-describedby={error || hint ? `${id}-told` : undefined}>
      <legend className={styles["legend"]}>{legend}</legend>
      <datalist id={`${id}-names`}>
        {names.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <div className={styles["rows"]}>
        {rows.map(({ key, name, op, value }, index) => (
          <div key={key} className={styles["matcher"]}>
            <input
              className={styles["control"]}
              aria-label={`Label of matcher ${index + 1}`}
              placeholder="team"
              autoComplete="off"
              list={`${id}-names`}
              value={name}
              onChange={(event) => change(key, { name: event.target.value })}
            />
            <select
              className={styles["control"]}
              aria-label={`Comparison of matcher ${index + 1}`}
              value={op}
              onChange={(event) => change(key, { op: event.target.value as Operator })}
            >
              {OPERATORS.map((one) => (
                <option key={one} value={one}>
                  {one} {OPERATOR_WORDS[one]}
                </option>
              ))}
            </select>
            <input
              className={styles["control"]}
              aria-label={`Value of matcher ${index + 1}`}
              placeholder={op.includes("~") ? "shop|payments" : "shop"}
              autoComplete="off"
              value={value}
              onChange={(event) => change(key, { value: event.target.value })}
            />
            <Button
              kind="quiet"
              aria-label={`Remove matcher ${index + 1}`}
              onClick={() => onChange(rows.filter((one) => one.key !== key))}
            >
              ✕
            </Button>
          </div>
        ))}
        <div>
          <Button size="small" onClick={() => onChange([...rows, row()])}>
            Add a matcher
          </Button>
        </div>
      </div>
      {error || hint ? (
        <p id={`${id}-told`} className={error ? styles["error"] : styles["hint"]}>
          {error ?? hint}
        </p>
      ) : null}
    </fieldset>
  );
}

/** Matchers to read. */
export function Matchers({ matchers }: { matchers: readonly Matcher[] }) {
  return (
    <span className={styles["buttons"]}>
      {matchers.map((matcher) => (
        <code key={written(matcher)}>{written(matcher)}</code>
      ))}
    </span>
  );
}
