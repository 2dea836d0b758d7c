import { Toast as Base } from "@base-ui/react/toast";
import { type ReactNode, useCallback } from "react";
import styles from "./Toast.module.css";

/** Short words at the edge of the page, read out by screen readers, gone after a while. F6 goes to them. */
export function Toasts({ children }: { children: ReactNode }) {
  return (
    <Base.Provider timeout={5000} limit={4}>
      {children}
      <Base.Portal>
        <Base.Viewport className={styles["viewport"]}>
          <List />
        </Base.Viewport>
      </Base.Portal>
    </Base.Provider>
  );
}

function List() {
  const { toasts } = Base.useToastManager();
  return toasts.map((toast) => (
    <Base.Root
      key={toast.id}
      toast={toast}
      swipeDirection={["right", "down"]}
      className={styles["toast"]}
      aria-label="Message"
      data-toast
    >
      <Base.Content className={styles["content"]}>
        <Base.Description className={styles["text"]} />
        <Base.Close className={styles["close"]} aria-label="Dismiss">
          ✕
        </Base.Close>
      </Base.Content>
    </Base.Root>
  ));
}

export type Say = (text: string, kind?: "done" | "problem") => void;

/** Says something: what was done, or what went wrong (which stays for longer). */
export function useToast(): Say {
  const { add } = Base.useToastManager();
  return useCallback(
    (text, kind = "done") => {
      add({
        description: text,
        type: kind,
        timeout: kind === "problem" ? 10_000 : 4000,
        priority: kind === "problem" ? "high" : "low",
      });
    },
    [add],
  );
}
