import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const here = fileURLToPath(new URL(".", import.meta.url));
const page = join(here, "../pipeline/tools/explorer/page");
const runtime = join(here, "node_modules/onnxruntime-web/dist");

/** The runtime's own two files beside the page. The WebAssembly is packed; whoever serves the page unpacks it. */
function shipRuntime(): Plugin {
  return {
    name: "ship-runtime",
    apply: "build",
    generateBundle() {
      const name = "ort-wasm-simd-threaded";
      this.emitFile({ type: "asset", fileName: `ort/${name}.mjs`, source: readFileSync(join(runtime, `${name}.mjs`)) });
      const packed = gzipSync(readFileSync(join(runtime, `${name}.wasm`)), { level: 9 });
      this.emitFile({ type: "asset", fileName: `ort/${name}.wasm.gz`, source: packed });
    },
  };
}

/** What the page was built from: sha256 over names and content, as tests/pipeline/tools/explorer reckons it, too. */
function nameSources(): Plugin {
  return {
    name: "name-sources",
    apply: "build",
    closeBundle() {
      const files = (folder: string): string[] =>
        readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
          entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)],
        );
      const names = ["index.html", "package-lock.json", "vite.config.ts", "tsconfig.json"].map((name) => join(here, name));
      const digest = createHash("sha256");
      for (const file of [...names, ...files(join(here, "src"))].map((path) => relative(here, path)).sort()) {
        digest.update(`${file} ${createHash("sha256").update(readFileSync(join(here, file))).digest("hex")}\n`);
      }
      writeFileSync(join(page, "build.json"), `${JSON.stringify({ sources: digest.digest("hex") })}\n`);
    },
  };
}

export default defineConfig({
  base: "./",
  resolve: {
    alias: { "onnxruntime-web/wasm": join(runtime, "ort.wasm.min.mjs") }, // the one whose WebAssembly stays a file of its own
  },
  worker: { format: "es" },
  build: { outDir: page, emptyOutDir: true, target: "es2022", modulePreload: false, assetsInlineLimit: 0, license: { fileName: "licences.md" } },
  plugins: [shipRuntime(), nameSources()],
});
