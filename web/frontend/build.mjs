// Bundles the console's front end into web/static/dist: hashed names, gzip beside each file, and
// manifest.json that tells the templates which name is current. Run by hatch_build.py as
// `node build.mjs <folder of node_modules> <output folder> <digest of the inputs>`.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = path.dirname(fileURLToPath(import.meta.url));
const [modules, target, digest] = process.argv.slice(2);
const esbuild = createRequire(path.join(modules, "farola.cjs"))("esbuild");
const staging = `${target}.new`;
rmSync(staging, { recursive: true, force: true });
mkdirSync(staging, { recursive: true });

const result = await esbuild.build({
  absWorkingDir: here,
  entryPoints: {
    app: "src/app.js",
    map: "src/map.js",
    chart: "src/chart.js",
    public: "src/public.css",
    // The worker is a file of its own: the content security policy allows no blob: workers.
    "map-worker": path.join(modules, "maplibre-gl/dist/maplibre-gl-worker.mjs"),
  },
  bundle: true,
  format: "esm",
  target: ["es2022", "chrome110", "firefox115", "safari16.4"],
  minify: true,
  legalComments: "linked",
  loader: { ".woff2": "file" },
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  nodePaths: [modules],
  outdir: staging,
  metafile: true,
  logLevel: "warning",
});

const files = {};
for (const [output, { entryPoint }] of Object.entries(result.metafile.outputs)) {
  const name = path.basename(output);
  const plain = name.replace(/-[A-Z0-9]{8}(?=\.)/, "");
  if (entryPoint || plain.endsWith(".css") || plain.endsWith(".woff2")) files[plain] = name;
}

// One sprite of the icons that templates name; `<use href="…#router">` draws one.
const icons = readFileSync(path.join(here, "src/icons.txt"), "utf8").split(/\s+/).filter(Boolean);
const symbols = icons.map((icon) => {
  const svg = readFileSync(path.join(modules, "lucide-static/icons", `${icon}.svg`), "utf8");
  const body = svg.replace(/<!--.*?-->/gs, "").replace(/^[\s\S]*?<svg[\s\S]*?>/, "").replace("</svg>", "");
  return `<symbol id="${icon}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" ` +
    `stroke-linecap="round" stroke-linejoin="round">${body.replace(/\s+/g, " ").trim()}</symbol>`;
});
const sprite = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`;
const spriteHash = createHash("sha256").update(sprite).digest("hex").slice(0, 8).toUpperCase();
files["icons.svg"] = `icons-${spriteHash}.svg`;
writeFileSync(path.join(staging, files["icons.svg"]), sprite);

// What is bundled keeps its authors' licences beside it.
const bundled = new Set(["lucide-static", "@fontsource-variable/inter"]);
for (const input of Object.keys(result.metafile.inputs)) {
  const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
  if (found) bundled.add(found[1]);
}
const notices = [...bundled].sort().map((name) => {
  const folder = path.join(modules, name);
  const { version, license } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(path.join(folder, file), "utf8").trim() : "";
  return `${name} ${version} (${license})\n\n${text}\n`;
});
writeFileSync(path.join(staging, "licences.txt"), notices.join(`\n${"-".repeat(72)}\n\n`));

for (const name of readdirSync(staging)) {
  if (/\.(js|css|svg)$/.test(name)) {
    writeFileSync(path.join(staging, `${name}.gz`), gzipSync(readFileSync(path.join(staging, name)), { level: 9 }));
  }
}
writeFileSync(path.join(staging, "manifest.json"), `${JSON.stringify({ inputs: digest, files }, null, 2)}\n`);
rmSync(target, { recursive: true, force: true });
renameSync(staging, target);
