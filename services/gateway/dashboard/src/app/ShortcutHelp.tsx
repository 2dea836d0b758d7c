import { useSyncExternalStore } from "react";
import { Dialog } from "../design";
import styles from "./ShortcutHelp.module.css";
import type { Shortcut } from "./shortcuts";
import { shortcuts } from "./useShortcuts";

/** Every key that does something here, and what it does. */
export function ShortcutHelp({ open, onClose }: { open: boolean; onClose: () => void }) {
  const known = useSyncExternalStore(shortcuts.subscribe, shortcuts.list);
  const groups = new Map<string, Map<string, Shortcut>>();
  for (const shortcut of known) {
    const group = groups.get(shortcut.group) ?? new Map<string, Shortcut>();
    groups.set(shortcut.group, group.set(shortcut.says, shortcut));
  }
  return (
    <Dialog open={open} onClose={onClose} title="Keyboard shortcuts" wide>
      <div className={styles["groups"]}>
        {[...groups].map(([name, group]) => (
          <section key={name}>
            <h3 className={styles["name"]}>{name}</h3>
            <dl className={styles["keys"]}>
              {[...group.values()].map(({ keys, says }) => (
                <div key={says}>
                  <dt>
                    {keys.split(" ").map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </dt>
                  <dd>{says}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
