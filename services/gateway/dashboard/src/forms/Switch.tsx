import { useToast } from "../design";
import styles from "./forms.module.css";

/** On or off, at once. `denied` says why the caller may not; it is told on a press. */
export function Switch(props: {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
  busy?: boolean;
  denied?: string | null;
}) {
  const { label, checked, onChange, busy = false, denied = null } = props;
  const say = useToast();
  return (
    <span className={styles["switch"]}>
      <input
        type="checkbox"
        role="switch"
        aria-checked={checked}
        aria-label={label}
        title={denied ?? undefined}
        aria-disabled={denied !== null || busy || undefined}
        aria-description={denied ?? undefined}
        checked={checked}
        onChange={(change) => {
          if (denied !== null) say(denied, "problem");
          else if (!busy) onChange(change.target.checked);
        }}
      />
      <span aria-hidden="true">{checked ? "On" : "Off"}</span>
    </span>
  );
}
