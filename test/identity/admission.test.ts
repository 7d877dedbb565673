import test from "ava";
import { Admission } from "../../src/identity/admission.ts";
import type { Refusal } from "../../src/identity/refusal.ts";

const limits = { perSecond: 10, burst: 20, perNode: 2, together: 3 };
const outcome = (admitted: Promise<unknown>): Promise<string> =>
  admitted.then(
    () => "done",
    (refusal: Refusal) => refusal.reason,
  );
const nothing = async () => {};

function bench() {
  const clock = { at: 0 };
  const admission = new Admission(limits, () => clock.at);
  const release: (() => void)[] = [];
  const slow = (node: string) =>
    outcome(admission.admit(node, () => new Promise<void>((resolve) => release.push(resolve))));
  return { clock, admission, slow, finish: () => release.splice(0).forEach((one) => void one()) };
}

test("a node may ask in a burst, then at its rate, and others are not concerned", async (t) => {
  const { clock, admission } = bench();
  for (let count = 0; count < limits.burst; count++) t.is(await outcome(admission.admit("a", nothing)), "done");
  t.is(await outcome(admission.admit("a", nothing)), "rate");
  t.is(await outcome(admission.admit("b", nothing)), "done");
  clock.at += 100;
  t.is(await outcome(admission.admit("a", nothing)), "done");
  t.is(await outcome(admission.admit("a", nothing)), "rate");
});

test("so many at a time of one node, and of all together", async (t) => {
  const { admission, slow, finish } = bench();
  const working = [slow("a"), slow("a")];
  t.is(await slow("a"), "busy");
  working.push(slow("b"));
  t.is(await slow("c"), "busy");
  t.is(admission.working, 3);
  finish();
  t.deepEqual(await Promise.all(working), ["done", "done", "done"]);
  t.is(admission.working, 0);
  t.is(await outcome(admission.admit("c", nothing)), "done");
});

test("work that fails gives its place back, and forgetting idle nodes forgives nothing", async (t) => {
  const { clock, admission } = bench();
  for (let count = 0; count < limits.burst; count++)
    await t.throwsAsync(
      admission.admit("a", () => Promise.reject(new Error("broken"))),
      { message: "broken" },
    );
  t.is(admission.working, 0);
  clock.at += 500;
  admission.sweep();
  for (let count = 0; count < 5; count++) t.is(await outcome(admission.admit("a", nothing)), "done");
  t.is(await outcome(admission.admit("a", nothing)), "rate");
});
