// node --test, with the module's place in MODULE.

import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./host.mjs";

test("where nothing can come while a call waits, it answers at once with the reason", () => {
  const told = [];
  const driver = load(process.env.MODULE, { tell: (line) => told.push(JSON.parse(line)) });
  driver.wait();
  assert.deepEqual(told, [{ pull: "in_flight", changed: false, close: "cut" }]);
});
