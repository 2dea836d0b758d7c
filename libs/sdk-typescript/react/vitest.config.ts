import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["convex-source", "module", "browser", "development|production"] },
  ssr: { resolve: { conditions: ["convex-source", "module", "node", "development|production"] } },
  test: { include: ["tests/*.test.tsx"], environment: "happy-dom" },
});
