// Plays a conformance case in WebAssembly: node play.mjs MODULE CASE OUT

import { appendFileSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { load } from "./host.mjs";

const [module, folder, out] = process.argv.slice(2);
if (out === undefined) {
  throw new Error("three arguments: the module, the case's folder and a folder for what comes out");
}
const driver = load(module, {
  find: (name) => {
    const file = join(folder, name);
    return statSync(file, { throwIfNoEntry: false })?.isFile() ? readFileSync(file) : undefined;
  },
  append: (name, raw) => appendFileSync(join(out, `${name}.raw`), raw),
  tell: (line) => console.log(line),
});
driver.play();
