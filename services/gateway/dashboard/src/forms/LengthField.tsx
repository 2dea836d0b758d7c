import { Field } from "../design";
import styles from "./forms.module.css";
import { type Length, UNITS, type Unit } from "./length";

/** A length of time: an amount and its unit. */
export function LengthField(props: {
  label: string;
  value: Length;
  onChange: (value: Length) => void;
  hint?: string | undefined;
  error?: string | undefined;
  disabled?: boolean;
  autoFocus?: boolean;
}) {
  const { label, value, onChange, hint, error, disabled, autoFocus } = props;
  return (
    <Field label={label} hint={hint} error={error}>
      {(control) => (
        <div className={styles["length"]}>
          <input
            {...control}
            className={styles["control"]}
            inputMode="decimal"
            autoComplete="off"
            disabled={disabled}
            // biome-ignore lint/a11y/noAutofocus: the first field of a dialog, which takes the focus anyway
            autoFocus={autoFocus}
            value={value.amount}
            onChange={(change) => onChange({ ...value, amount: change.target.value })}
          />
          <select
            className={styles["control"]}
            aria-label={`${label}: unit`}
            disabled={disabled}
            value={value.unit}
            onChange={(change) => onChange({ ...value, unit: change.target.value as Unit })}
          >
            {UNITS.map((unit) => (
              <option key={unit.value} value={unit.value}>
                {unit.label}
              </option>
            ))}
          </select>
        </div>
      )}
    </Field>
  );
}
