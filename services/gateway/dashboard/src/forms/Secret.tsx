import { useState } from "react";
import { Button } from "../design";
import styles from "./forms.module.css";

/** A text that is shown once, to be copied. */
export function Secret({ text, label }: { text: string; label: string }) {
  const [told, setTold] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setTold("Copied.");
    } catch {
      setTold("The browser does not let this page copy: select the text instead.");
    }
  };
  return (
    <div className={styles["secret"]}>
      <code>{text}</code>
      <Button aria-label={`Copy: ${label}`} onClick={() => void copy()}>
        Copy
      </Button>
      <span role="status" className={styles["hint"]}>
        {told}
      </span>
    </div>
  );
}
