import { type InputHTMLAttributes, type ReactNode, type TextareaHTMLAttributes, useId } from "react";
import { classes } from "./classes";
import styles from "./Field.module.css";

/** What a control has to carry so that its label, hint and error belong to it. */
export interface Control {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": true | undefined;
}

export interface FieldProps {
  label: ReactNode;
  hint?: ReactNode;
  error?: string | null | undefined;
  /** The label is there for screen readers only. */
  labelHidden?: boolean;
  className?: string | undefined;
  children: (control: Control) => ReactNode;
}

/** A label, the control that `children` draws, and below it a hint or what is wrong. */
export function Field({ label, hint, error, labelHidden = false, className, children }: FieldProps) {
  const id = useId();
  const told = error ? `${id}-error` : hint ? `${id}-hint` : undefined;
  return (
    <div className={classes(styles["field"], className)}>
      <label htmlFor={id} className={labelHidden ? "visually-hidden" : styles["label"]}>
        {label}
      </label>
      {children({ id, "aria-describedby": told, "aria-invalid": error ? true : undefined })}
      {error ? (
        <p id={`${id}-error`} className={styles["error"]}>
          {error}
        </p>
      ) : hint ? (
        <p id={`${id}-hint`} className={styles["hint"]}>
          {hint}
        </p>
      ) : null}
    </div>
  );
}

type Own = Omit<FieldProps, "children">;

/** An input of one line. */
export function TextField({
  label,
  hint,
  error,
  labelHidden,
  className,
  ...input
}: Own & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <Field {...own({ label, hint, error, labelHidden, className })}>
      {(control) => <input autoComplete="off" {...input} {...control} className={styles["control"]} />}
    </Field>
  );
}

/** An input of several lines. */
export function TextArea({
  label,
  hint,
  error,
  labelHidden,
  className,
  ...input
}: Own & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return (
    <Field {...own({ label, hint, error, labelHidden, className })}>
      {(control) => (
        <textarea rows={4} {...input} {...control} className={classes(styles["control"], styles["area"])} />
      )}
    </Field>
  );
}

/** A box to tick, with its label beside it. */
export function Checkbox({
  label,
  hint,
  ...input
}: { label: ReactNode; hint?: ReactNode } & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId();
  return (
    <div className={styles["tick"]}>
      <input type="checkbox" {...input} id={id} aria-describedby={hint ? `${id}-hint` : undefined} />
      <label htmlFor={id}>{label}</label>
      {hint ? (
        <p id={`${id}-hint`} className={styles["hint"]}>
          {hint}
        </p>
      ) : null}
    </div>
  );
}

function own({ label, hint, error, labelHidden, className }: { [name in keyof Own]: Own[name] | undefined }): Own {
  return { label, hint, error, labelHidden: labelHidden ?? false, className };
}
