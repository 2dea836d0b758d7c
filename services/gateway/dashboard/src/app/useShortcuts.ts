import { useEffect, useRef } from "react";
import { isTyping, type Shortcut, Shortcuts } from "./shortcuts";

/** What keys belong to while it is open. A message at the edge of the page is a dialog by its role, and takes none. */
const TAKES_KEYS = ":is([role='dialog'], [role='alertdialog'], [role='menu']):not([data-toast])";

/** The window's only one. */
export const shortcuts = new Shortcuts();

/** Adds shortcuts while the component is there. Their keys and words have to stay; what they do may change. */
export function useShortcuts(given: readonly Shortcut[]): void {
  const latest = useRef(given);
  latest.current = given;
  const spelled = given.map(({ keys }) => keys).join(",");
  // biome-ignore lint/correctness/useExhaustiveDependencies: added anew only where the keys are others
  useEffect(
    () =>
      shortcuts.add(
        latest.current.map((shortcut, index) => ({ ...shortcut, run: () => latest.current[index]?.run() })),
      ),
    [spelled],
  );
}

/** Listens for the whole window; called once. */
export function useShortcutKeys(): void {
  useEffect(() => {
    const onKey = (press: KeyboardEvent) => {
      if (press.defaultPrevented || press.isComposing || isTyping(press.target)) return;
      if (document.querySelector(TAKES_KEYS) !== null) return;
      // Enter and Space on something that can be pressed belong to it.
      const pressed = press.key === "Enter" || press.key === " ";
      if (pressed && press.target instanceof Element && press.target.closest("a, button, summary, input")) return;
      const found = shortcuts.press(press, Date.now());
      if (found === null) return;
      press.preventDefault();
      found.run();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}
