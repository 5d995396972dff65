// Generates two clients of each document, compiles them with the calls beside this file, and makes the calls.
//
// Arguments: the folder with the documents, and one whose node_modules have the generators; both are made absolute by the caller.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

const [documents, tools] = process.argv.slice(2);
const folder = mkdtempSync(join(tools, "clients-"));
const tool = (name, ...args) =>
  execFileSync(join(tools, "node_modules/.bin", name), args, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });

try {
  for (const name of ["cart", "loms", "comments", "product"]) {
    const document = join(documents, `${name}.json`);
    tool("openapi-typescript", document, "-o", `types/${name}.d.ts`);
    tool("openapi-ts", "-i", document, "-o", `sdk/${name}`, "--silent");
  }
  copyFileSync(new URL("calls.ts", import.meta.url), join(folder, "calls.ts"));
  const options = ["--strict", "--skipLibCheck", "--module", "commonjs", "--moduleResolution", "node10", "--esModuleInterop",
    "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--types", "node", "--outDir", "out"];
  execFileSync(join(tools, "node_modules/.bin/tsc"), [...options, "calls.ts"], { cwd: folder, stdio: "inherit" });
  execFileSync(process.execPath, ["out/calls.js"], { cwd: folder, stdio: "inherit" });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
