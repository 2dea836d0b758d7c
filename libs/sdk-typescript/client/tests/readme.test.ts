import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

test("the README's example is the one that the compiler checks", () => {
  const checked = readFileSync(new URL("readme.ts", import.meta.url), "utf8");
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  expect(readme).toContain(`\`\`\`ts\n${checked.replace("../src/index.ts", "@convex-alerts/client")}\`\`\``);
});
