import { defineConfig } from "vitest/config";

export default defineConfig({ test: { include: ["tests/*.gateway.ts"], environment: "node", testTimeout: 90_000 } });
