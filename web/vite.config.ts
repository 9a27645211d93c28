import { createReadStream, createWriteStream, mkdirSync, readFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { constants, createGzip } from "node:zlib";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const server = process.env["GANVAS_STUDIO"] ?? "http://127.0.0.1:8765";
const OUT = "../src/ganvas/studio/static";
const RUNTIME = resolve(import.meta.dirname, "node_modules/onnxruntime-web");
const { version } = JSON.parse(readFileSync(`${RUNTIME}/package.json`, "utf-8")) as { version: string };

/** Puts the files of onnxruntime-web beside the page as they are, its WebAssembly packed; only exported pages load them. */
function runtime(): Plugin {
  return {
    name: "ganvas-runtime",
    apply: "build",
    async closeBundle() {
      const folder = resolve(import.meta.dirname, OUT, "runtime", version);
      mkdirSync(folder, { recursive: true });
      // The package comes without: these are from the Python package of the same version.
      await copyFile(resolve(import.meta.dirname, `notices/onnxruntime-${version}.txt`), `${folder}/ThirdPartyNotices.txt`);
      for (const file of ["ort.wasm.min.mjs", "ort.jspi.min.mjs"]) await copyFile(`${RUNTIME}/dist/${file}`, `${folder}/${file}`);
      for (const kind of ["", ".jspi"]) {
        const name = `ort-wasm-simd-threaded${kind}`;
        await copyFile(`${RUNTIME}/dist/${name}.mjs`, `${folder}/${name}.mjs`);
        const packed = createGzip({ level: constants.Z_BEST_COMPRESSION });
        await pipeline(createReadStream(`${RUNTIME}/dist/${name}.wasm`), packed, createWriteStream(`${folder}/${name}.wasm.gz`));
      }
    },
  };
}

export default defineConfig({
  plugins: [svelte(), runtime()],
  define: { RUNTIME_VERSION: JSON.stringify(version) },
  // Relative addresses, so that the folder works under any path.
  base: "./",
  build: {
    outDir: OUT,
    emptyOutDir: true,
    // Nothing becomes a data: address and no helper is written into the page: the policy allows neither.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  worker: { format: "es" },
  server: { proxy: { "/api": server, "/healthz": server } },
  test: { include: ["src/**/*.test.ts"] },
});
