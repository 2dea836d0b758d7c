import { describe, expect, test, vi } from "vitest";
import { type Shortcut, Shortcuts } from "../src/app/shortcuts";

const press = (key: string, held: Partial<Record<"ctrlKey" | "metaKey" | "altKey", boolean>> = {}) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  ...held,
});
const shortcut = (keys: string): Shortcut => ({ keys, says: keys, group: "Test", run: vi.fn() });

describe("a press", () => {
  test("means what was added last, until that is taken away", () => {
    const known = new Shortcuts();
    const [page, dialog] = [shortcut("a"), shortcut("a")];
    known.add([page]);
    const remove = known.add([dialog]);
    expect(known.press(press("a"), 0)).toBe(dialog);
    remove();
    expect(known.press(press("a"), 0)).toBe(page);
  });

  test("after g means a page; alone it means what it means", () => {
    const known = new Shortcuts();
    const [resolve, rules] = [shortcut("r"), shortcut("g r")];
    known.add([resolve, rules]);
    expect(known.press(press("g"), 0)).toBeNull();
    expect(known.press(press("r"), 900)).toBe(rules);
    expect(known.press(press("r"), 950)).toBe(resolve);
  });

  test("that comes too late after g stands for itself", () => {
    const known = new Shortcuts();
    const [resolve, rules] = [shortcut("r"), shortcut("g r")];
    known.add([resolve, rules]);
    known.press(press("g"), 0);
    expect(known.press(press("r"), 1001)).toBe(resolve);
  });

  test.each(["ctrlKey", "metaKey", "altKey"] as const)("with %s is the browser's", (held) => {
    const known = new Shortcuts();
    known.add([shortcut("a")]);
    expect(known.press(press("a", { [held]: true }), 0)).toBeNull();
  });
});
