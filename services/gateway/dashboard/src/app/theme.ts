import { useSyncExternalStore } from "react";

/** Light or dark: the system's choice until the reader makes one, which this browser keeps. */
export type Theme = "system" | "light" | "dark";

const KEY = "convex.theme";
const listeners = new Set<() => void>();

function stored(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : "system";
  } catch {
    return "system"; // storage may be forbidden
  }
}

let theme = stored();

function apply(): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

apply();

export function chooseTheme(next: Theme): void {
  theme = next;
  try {
    if (next === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    // It holds until the page is left.
  }
  apply();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  listeners.add(listener);
  system.addEventListener("change", listener);
  return () => {
    listeners.delete(listener);
    system.removeEventListener("change", listener);
  };
}

const isDark = (): boolean =>
  theme === "system" ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";

export const useTheme = (): Theme => useSyncExternalStore(subscribe, () => theme);
/** Whether it is dark now; for what draws by itself. */
export const useDark = (): boolean => useSyncExternalStore(subscribe, isDark);
