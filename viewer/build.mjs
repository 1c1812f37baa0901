// Bundles the viewer into the folder that is named on the command line: index.html, licenses.txt, assets/.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const ADDRESS = "/ui/assets/"; // where the server shows assets/
const HERE = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(HERE, "build"));
const assets = join(out, "assets");

const { metafile } = await build({
  absWorkingDir: HERE,
  entryPoints: ["src/main.tsx", "style/main.css"],
  outdir: assets,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none", // the licences are in licenses.txt, whole
  loader: { ".woff2": "file" },
  external: ["numcodecs/blosc", "numcodecs/lz4", "numcodecs/zstd"], // NiiVue's for zarr, 1.4 MB that nobody asks for
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "warning",
  metafile: true,
});

const made = Object.entries(metafile.outputs);
const addressOf = (entry) =>
  ADDRESS +
  made
    .find(([, output]) => output.entryPoint === entry)[0]
    .split("/")
    .pop();
const chunks = made.find(([, output]) => output.entryPoint === "src/main.tsx")[1].imports;
const preloads = chunks
  .filter(({ kind }) => kind === "import-statement")
  .map(({ path }) => `<link rel="modulepreload" href="${ADDRESS}${path.split("/").pop()}">`);
const page = readFileSync(join(HERE, "index.html"), "utf8")
  .replace("{preloads}", preloads.join(""))
  .replace("{script}", addressOf("src/main.tsx"))
  .replace("{style}", addressOf("style/main.css"));
writeFileSync(join(out, "index.html"), page);

for (const name of readdirSync(assets).filter((name) => /\.(js|css)$/.test(name))) {
  const path = join(assets, name);
  writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
}

// What was bundled asks that its licence comes along.
const bundled = new Set(
  Object.keys(metafile.inputs).flatMap((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []),
);
const texts = [...bundled].sort().map((name) => {
  const folder = join(HERE, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  return `${name} ${version} (${license})\n\n${file ? readFileSync(join(folder, file), "utf8").trim() : ""}\n`;
});
writeFileSync(join(out, "licenses.txt"), texts.join(`\n${"-".repeat(80)}\n\n`));
