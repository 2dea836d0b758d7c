import type { ButtonHTMLAttributes, Ref } from "react";
import styles from "./Button.module.css";
import { classes } from "./classes";

export type ButtonKind = "plain" | "primary" | "danger" | "quiet";

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: ButtonKind;
  size?: "normal" | "small";
  /** Something is under way: it stays focusable, and further presses do nothing. */
  busy?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

/** A button's look, for links that are to have it. */
export function buttonClass(kind: ButtonKind = "plain", size: "normal" | "small" = "normal"): string {
  return classes(styles["button"], styles[kind], size === "small" && styles["small"]);
}

export function Button({ kind = "plain", size = "normal", busy = false, className, onClick, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      className={classes(buttonClass(kind, size), className)}
      aria-busy={busy || undefined}
      aria-disabled={busy || rest["aria-disabled"]}
      onClick={busy ? (press) => press.preventDefault() : onClick}
    />
  );
}
