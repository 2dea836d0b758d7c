/** Keys and what they do. Pure but for the caller's clock: a press goes in, the action that it means comes out. */

export interface Shortcut {
  /** One key (`a`, `?`, `Enter`), or two with a space between (`g r`): the second within a second. */
  keys: string;
  /** What the help says. */
  says: string;
  group: string;
  run: () => void;
}

export interface Press {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

const PATIENCE = 1000;

export class Shortcuts {
  readonly #known: Shortcut[] = [];
  readonly #listeners = new Set<() => void>();
  #listed: readonly Shortcut[] = [];
  #leader: { key: string; at: number } | null = null;

  /** Adds them; the answer takes them away again. Of two with the same keys the younger one counts. */
  add(shortcuts: readonly Shortcut[]): () => void {
    this.#known.push(...shortcuts);
    this.#changed();
    return () => {
      for (const shortcut of shortcuts) this.#known.splice(this.#known.indexOf(shortcut), 1);
      this.#changed();
    };
  }

  /** What this press means, if anything. */
  press({ key, ctrlKey, metaKey, altKey }: Press, now: number): Shortcut | null {
    if (ctrlKey || metaKey || altKey) return null;
    const leader = this.#leader !== null && now - this.#leader.at <= PATIENCE ? this.#leader.key : null;
    this.#leader = null;
    const found = leader === null ? null : this.#find(`${leader} ${key}`);
    if (found) return found;
    if (this.#known.some(({ keys }) => keys.startsWith(`${key} `))) {
      this.#leader = { key, at: now };
      return null;
    }
    return this.#find(key);
  }

  /** All of them, for the help; the same array until something changes. */
  list = (): readonly Shortcut[] => this.#listed;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #find(keys: string): Shortcut | null {
    return this.#known.findLast((shortcut) => shortcut.keys === keys) ?? null;
  }

  #changed(): void {
    this.#listed = [...this.#known];
    for (const listener of this.#listeners) listener();
  }
}

/** Whether a press there belongs to what is being written or chosen. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "button", "submit"].includes(target.type);
  return target.isContentEditable || target.matches("textarea, select, [role='textbox'], [role='combobox']");
}
