// Runs the driver's module in Node.js: its imports are the case's files, its output and the clocks.

import { readFileSync } from "node:fs";

/**
 * Loads the module. `find` gives a file of the case as bytes, or nothing; `append` takes raw output
 * by name; `tell` takes the line. What the driver calls a failure is thrown.
 */
export function load(file, { find, append, tell }) {
  let found;
  const bytes = (at, length) => new Uint8Array(instance.exports.memory.buffer, at, length);
  const text = (at, length) => new TextDecoder().decode(bytes(at, length));
  const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file)), {
    case: {
      find: (name, length) => (found = find(text(name, length)))?.length ?? -1,
      copy: (to) => bytes(to, found.length).set(found),
      append: (name, nameLength, raw, length) => append(text(name, nameLength), bytes(raw, length)),
      tell: (line, length) => tell(text(line, length)),
      fail: (why, length) => {
        throw new Error(text(why, length));
      },
    },
    remotemedia: { monotonic_ms: () => performance.now(), unix_ms: () => Date.now() },
  });
  return instance.exports;
}
