/**
 * Builds the front end into splitlab/labextension: `node build.js` everything, `node build.js NAME …` only these widgets.
 *
 * Every widget becomes one file, because anywidget loads exactly one module; its name holds a hash of its content, so
 * that no browser shows an old one. `bundles.json` beside them tells the Python side their names.
 */

import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const EXTENSION = join(HERE, "../splitlab/labextension");
const OUT = join(EXTENSION, "static/widgets");
const LIST = join(OUT, "bundles.json");
const PYTHON = join(HERE, "../splitlab/widgets");

/** How JupyterLab's extension manager says where this comes from. */
const INSTALLED = {
  packageManager: "python",
  packageName: "splitlab",
  uninstallInstructions: "Uninstall the Python package splitlab.",
};

const { version } = JSON.parse(readFileSync(join(HERE, "package.json"), "utf8"));

/** A widget is a JavaScript file and a Python file of one name. */
const widgets = () =>
  readdirSync(join(HERE, "src"))
    .map((file) => file.match(/^(\w+)\.js$/)?.[1])
    .filter((name) => name && existsSync(join(PYTHON, `${name}.py`)));

/** One entry point as minified text, and the packages whose code is in it. */
async function bundle(name, options = {}) {
  const made = await build({
    entryPoints: [join(HERE, "src", `${name}.js`)],
    absWorkingDir: HERE,
    bundle: true,
    format: "esm",
    target: "es2022",
    minify: true,
    charset: "utf8",
    legalComments: "none", // licences.txt has the licences whole
    loader: { ".css": "text", ".svg": "text" },
    metafile: true,
    write: false,
    logLevel: "warning",
    ...options,
  });
  const packages = Object.keys(made.metafile.inputs).map((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]);
  const text = made.outputFiles[0].text.replaceAll("https://github.com/", "github.com/"); // in messages of libraries
  return { text, packages: packages.filter(Boolean) };
}

/** Write a file whole or not at all: a browser may be reading it. */
function write(path, text) {
  writeFileSync(`${path}.part`, text);
  renameSync(`${path}.part`, path);
}

/** The launcher card and the commands, as JupyterLab wants them; empties the whole folder first. */
function buildExtension() {
  const require = createRequire(import.meta.url);
  const builder = join(dirname(require.resolve("@jupyter/builder/package.json")), "lib/build-labextension.js");
  const core = require.resolve("@jupyterlab/core-meta/core.package.json", { paths: [dirname(builder)] });
  try {
    execFileSync(process.execPath, [builder, "--core-package-file", core, HERE], { stdio: "pipe" });
  } catch (error) {
    throw new Error(`${error.stdout}\n${error.stderr}`, { cause: error });
  }
}

/** The licence texts of the packages whose code we ship. */
function licences(packages) {
  const texts = [...new Set(packages)].sort().map((name) => {
    const folder = join(HERE, "node_modules", name);
    const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return `${name} ${version} (${license})\n\n${file ? readFileSync(join(folder, file), "utf8") : ""}`;
  });
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

/** Build one widget and write it down; what it replaces is removed. */
async function put(name, bundles) {
  const { text, packages } = await bundle(name);
  const file = `${name}.${createHash("sha256").update(text).digest("hex").slice(0, 12)}.js`;
  write(join(OUT, file), text);
  if (bundles[name] && bundles[name] !== file) rmSync(join(OUT, bundles[name]), { force: true });
  bundles[name] = file;
  console.log(`${file}  ${(text.length / 1000).toFixed(0)} kB`);
  return packages;
}

async function main(names) {
  if (!names.length) buildExtension();
  mkdirSync(OUT, { recursive: true });
  const bundles = names.length && existsSync(LIST) ? JSON.parse(readFileSync(LIST, "utf8")).bundles : {};
  const packages = [];
  for (const name of names.length ? names : widgets()) {
    try {
      packages.push(...(await put(name, bundles)));
    } catch {
      process.exitCode = 1; // esbuild has said why; the others are built all the same
    }
  }
  const loader = (await bundle("loader")).text;
  write(LIST, JSON.stringify({ version, bundles, loader }, null, 2));
  if (names.length) return;
  write(join(EXTENSION, "licences.txt"), licences(packages));
  write(join(EXTENSION, "install.json"), JSON.stringify(INSTALLED));
}

await main(process.argv.slice(2));
