// Bundles the playground into dist/: `node build.mjs`. Quick when nothing changed; fetches packages only when needed.
//
// dist/ is never committed. Everything the page loads lies in it (scripts, workers, styles, fonts), so the playground
// works with the network cut. Names hold a digest of the content, except index.html, so they can be cached for ever.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const stamp = join(dist, "inputs.sha256");
const digest = digestOfInputs();

/**
 * What keeps people out of GraphiQL: buttons inside of tabs, which screen readers do not reach, so the tabs are a list of buttons
 * here; and comments that are too dark to read on its dark ground.
 */
const MENDS = [
  [
    /@graphiql.react.dist.components.tabs.index\.js$/,
    [
      ['role: "tablist"', 'role: "list"'],
      ['role: "tab"', 'role: "listitem"'],
      ['"aria-selected": isActive', '"aria-current": isActive'],
    ],
  ],
  [
    /@graphiql.react.dist.constants\.js$/,
    [['foreground: "#908aff"', 'foreground: "#908aff" }, { token: "comment", foreground: "#8bbf76"']],
  ],
];

if (existsSync(stamp) && readFileSync(stamp, "utf8") === digest) process.exit(0);

if (!isFetched()) {
  process.stdout.write("playground: fetching packages (once)\n");
  try {
    execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: here, stdio: "inherit" });
  } catch {
    // Everything but this page runs without it, so `make run` goes on.
    process.stderr.write("playground: npm could not fetch the packages, so / shows the plain page until `make playground` works\n");
    process.exit(0);
  }
}
process.stdout.write("playground: bundling\n");
const { build } = await import("esbuild");

// Built beside dist and renamed at the end, so a router that runs never serves half a bundle.
const fresh = join(here, "dist.new");
rmSync(fresh, { recursive: true, force: true });
const shared = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  legalComments: "linked",
  metafile: true,
  outdir: join(fresh, "assets"),
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".ttf": "file", ".woff2": "file", ".graphql": "text" },
  logLevel: "warning",
  target: ["es2022"],
  plugins: [{ name: "mends", setup: ({ onLoad }) => MENDS.forEach(([filter, changes]) => onLoad({ filter }, mended(changes))) }],
};
const workers = await build({
  ...shared,
  format: "iife",
  entryPoints: {
    "editor.worker": "monaco-editor/esm/vs/editor/editor.worker.js",
    "json.worker": "monaco-editor/esm/vs/language/json/json.worker.js",
    "graphql.worker": "monaco-graphql/esm/graphql.worker.js",
  },
});
const page = await build({
  ...shared,
  format: "esm",
  splitting: true,
  jsx: "automatic",
  entryPoints: { playground: "src/main.jsx" },
  define: {
    "process.env.NODE_ENV": '"production"',
    WORKERS: JSON.stringify(workerUrls()),
  },
});
const [script, { cssBundle: style }] = Object.entries(page.metafile.outputs).find(
  ([, output]) => output.entryPoint === "src/main.jsx",
);
const html = readFileSync(join(here, "src", "index.html"), "utf8")
  .replace("playground.js", basename(script))
  .replace("playground.css", basename(style));
writeFileSync(join(fresh, "index.html"), html);
compress(join(fresh, "assets"));
writeFileSync(join(fresh, "inputs.sha256"), digest);
rmSync(dist, { recursive: true, force: true });
renameSync(fresh, dist);

/** Whether the packages are those of the lock file: npm writes one of its own when it has fetched them. */
function isFetched() {
  const fetched = join(here, "node_modules", ".package-lock.json");
  if (!existsSync(fetched)) return false;
  const packagesOf = (file) => JSON.parse(readFileSync(file, "utf8")).packages;
  const there = packagesOf(fetched);
  const wanted = Object.entries(packagesOf(join(here, "package-lock.json")));
  return wanted.every(([path, { version, optional }]) => path === "" || optional || there[path]?.version === version);
}

/** Loads a file with these changes, each of which must be possible. */
function mended(changes) {
  return ({ path }) => {
    let contents = readFileSync(path, "utf8");
    for (const [before, after] of changes) {
      if (!contents.includes(before)) throw new Error(`${path} has no ${before} any more: is MENDS in build.mjs still needed?`);
      contents = contents.replace(before, after);
    }
    return { contents, loader: "js" };
  };
}

function digestOfInputs() {
  const hash = createHash("sha256");
  const files = readdirSync(join(here, "src"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const sources = files.map((file) => relative(here, join(file.parentPath, file.name))).sort();
  for (const name of ["build.mjs", "package-lock.json", ...sources]) {
    hash.update(`${name}\0`).update(readFileSync(join(here, name)));
  }
  return hash.digest("hex");
}

/** Writes NAME.gz beside each file that becomes shorter by it; the router sends it to browsers, which all take it. */
function compress(folder) {
  for (const name of readdirSync(folder)) {
    const plain = readFileSync(join(folder, name));
    const pressed = gzipSync(plain, { level: 9 });
    if (pressed.length < plain.length * 0.9) writeFileSync(join(folder, `${name}.gz`), pressed);
  }
}

/** The address of each worker by Monaco's label for it. */
function workerUrls() {
  const files = Object.keys(workers.metafile.outputs).map((file) => basename(file));
  const scripts = files.filter((file) => file.endsWith(".js"));
  return Object.fromEntries(scripts.map((file) => [file.slice(0, file.indexOf(".")), `/assets/${file}`]));
}
