import type { SelectHTMLAttributes } from "react";
import { classes } from "./classes";
import { Field, type FieldProps } from "./Field";
import styles from "./Field.module.css";

export interface Option<Value extends string> {
  value: Value;
  label: string;
}

export interface SelectProps<Value extends string>
  extends Omit<SelectHTMLAttributes<HTMLSelectElement>, "value" | "onChange">,
    Omit<FieldProps, "children"> {
  value: Value;
  options: readonly Option<Value>[];
  onChange: (value: Value) => void;
}

/** The system's own list of choices: known to every keyboard, screen reader and telephone. */
export function Select<Value extends string>({
  label,
  hint,
  error,
  labelHidden = false,
  className,
  value,
  options,
  onChange,
  ...rest
}: SelectProps<Value>) {
  return (
    <Field label={label} hint={hint} error={error} labelHidden={labelHidden} className={className}>
      {(control) => (
        <select
          {...rest}
          {...control}
          className={classes(styles["control"], styles["select"])}
          value={value}
          onChange={(change) => onChange(change.target.value as Value)}
        >
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
