import test from "ava";
import { countAva, countCargo, countClosingLine, countSteps } from "../../scripts/tally.ts";

test("ava: every mark of a passed test counts, colours or not", (t) => {
  const output = "\n  ✔ one\n  \u001B[32m✔\u001B[39m two (1.2s)\n  - [skip] three\n  ─\n\n  2 tests passed\n";
  t.deepEqual(countAva([output]), { passed: 2, failed: 0, skipped: 1 });
});

test("ava: failed tests, hooks and what broke outside of tests count as failures", (t) => {
  const output =
    "  ✔ one\n  ✘ [fail]: two\n  ─\n\n  1 test failed\n  1 hook failed\n  2 uncaught exceptions\n  1 unhandled rejection\n";
  t.deepEqual(countAva([output]), { passed: 1, failed: 5, skipped: 0 });
});

test("cargo: the results of all binaries are added up", (t) => {
  const line = (passed: number, failed: number) =>
    `test result: ok. ${passed} passed; ${failed} failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n`;
  t.deepEqual(countCargo([`${line(3, 0)}noise\n${line(4, 1)}`, line(2, 0)]), { passed: 9, failed: 1 });
});

test("a closing line counts only when it stands alone", (t) => {
  t.deepEqual(countClosingLine(["it said 9 passed, 9 failed once\n\n3 passed, 1 failed\n"]), { passed: 3, failed: 1 });
});

test("each command of a lane of checks counts as one", (t) => {
  t.deepEqual(countSteps([], [0, 1, 0]), { passed: 2, failed: 1 });
});
