import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

const server = process.env["GANVAS_STUDIO"] ?? "http://127.0.0.1:8765";

export default defineConfig({
  plugins: [svelte()],
  // Relative addresses, so that the folder works under any path.
  base: "./",
  build: {
    outDir: "../src/ganvas/studio/static",
    emptyOutDir: true,
    // Nothing becomes a data: address and no helper is written into the page: the policy allows neither.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": server, "/healthz": server } },
  test: { include: ["src/**/*.test.ts"] },
});
