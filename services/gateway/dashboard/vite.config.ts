import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const COMPRESSED = /\.(?:js|css|svg|html|txt)$/;
const SMALLEST = 1024;

/** Writes each text also as gzip and Brotli have it, so that the gateway compresses nothing. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    async writeBundle({ dir = "." }, bundle) {
      const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
      const texts = Object.keys(bundle).filter((name) => COMPRESSED.test(name));
      await Promise.all(
        texts.map(async (name) => {
          const path = join(dir, name);
          const source = await readFile(path);
          if (source.length < SMALLEST) return;
          await writeFile(`${path}.br`, await promisify(brotliCompress)(source, quality));
          await writeFile(`${path}.gz`, await promisify(gzip)(source, { level: constants.Z_BEST_COMPRESSION }));
        }),
      );
    },
  };
}

// The gateway serves what is written here; addresses are absolute below /dashboard/.
export default defineConfig({
  base: "/dashboard/",
  plugins: [react(), compressed()],
  resolve: { conditions: ["convex-source", "module", "browser", "development|production"] },
  server: {
    // `npm run dev` beside a running gateway: its pages reload as one writes.
    proxy: {
      "/api": "http://127.0.0.1:8080",
      "/auth": "http://127.0.0.1:8080",
      "/ws": { target: "ws://127.0.0.1:8080", ws: true },
    },
  },
  build: {
    outDir: "../src/convex_gateway/dashboard/built",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    cssTarget: ["chrome123", "firefox128", "safari17.5"],
    license: { fileName: "licenses.md" },
  },
});
