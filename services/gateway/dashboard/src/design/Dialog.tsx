import { Dialog as Base } from "@base-ui/react/dialog";
import { type FormEvent, type ReactNode, useState } from "react";
import { Button } from "./Button";
import styles from "./Dialog.module.css";
import { Problem } from "./EmptyState";

export interface DialogProps {
  open: boolean;
  onClose: () => void;
  title: string;
  description?: ReactNode;
  children?: ReactNode;
  /** Buttons at its end, the decisive one last. */
  actions?: ReactNode;
  wide?: boolean;
}

/** A window over the page: it holds the focus, gives it back, and Escape closes it. */
export function Dialog({ open, onClose, title, description, children, actions, wide = false }: DialogProps) {
  return (
    <Base.Root open={open} onOpenChange={(next) => (next ? undefined : onClose())}>
      <Base.Portal>
        <Base.Backdrop className={styles["backdrop"]} />
        <Base.Popup className={styles["popup"]} data-wide={wide || undefined}>
          <div className={styles["head"]}>
            <Base.Title className={styles["title"]}>{title}</Base.Title>
            <Base.Close className={styles["close"]} aria-label="Close">
              ✕
            </Base.Close>
          </div>
          {description ? <Base.Description className={styles["description"]}>{description}</Base.Description> : null}
          <div className={styles["body"]}>{children}</div>
          {actions ? <div className={styles["actions"]}>{actions}</div> : null}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

export interface FormDialogProps extends Omit<DialogProps, "actions"> {
  /** What the decisive button says. */
  submit: string;
  danger?: boolean;
  /** Closes the dialog when it is done; what it throws is shown. */
  onSubmit: () => Promise<unknown>;
}

/** A dialog that does one thing, and says why if it could not. */
export function FormDialog({ submit, danger = false, onSubmit, onClose, children, ...rest }: FormDialogProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const close = () => {
    setError(null);
    onClose();
  };
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    try {
      await onSubmit();
      close();
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog {...rest} onClose={close}>
      <form className={styles["form"]} onSubmit={send}>
        {children}
        {error ? <Problem error={error} /> : null}
        <div className={styles["actions"]}>
          <Button onClick={close}>Cancel</Button>
          <Button type="submit" kind={danger ? "danger" : "primary"} busy={busy}>
            {submit}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
