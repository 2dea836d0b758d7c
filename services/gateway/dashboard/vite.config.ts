import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The gateway serves what is written here; addresses are absolute below /dashboard/.
export default defineConfig({
  base: "/dashboard/",
  plugins: [react()],
  resolve: { conditions: ["convex-source", "module", "browser", "development|production"] },
  build: {
    outDir: "../src/convex_gateway/dashboard/built",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
});
