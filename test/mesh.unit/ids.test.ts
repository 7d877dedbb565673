import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { WeirError } from "../../src/errors.ts";
import { Ids } from "../../src/mesh/ids.ts";
import { scratch } from "../helpers/resources.ts";

function open(t: ExecutionContext, stateDirectory: string, floor = 0, remembered?: number): Ids {
  const ids = new Ids({ stateDirectory, floor, ...(remembered === undefined ? {} : { remembered }) });
  t.teardown(() => ids.close());
  return ids;
}

test("a name keeps its id, another gets another, and kinds do not mix", (t) => {
  const ids = open(t, scratch(t));
  const first = ids.id("workload", "a");
  t.is(ids.id("workload", "a"), first);
  t.is(new Set([first, ids.id("workload", "b"), ids.id("service", "a"), ids.next()]).size, 4);
});

test("ids survive a restart, and numbers go on above all that were given", (t) => {
  const directory = scratch(t);
  const before = open(t, directory);
  const id = before.id("workload", "a");
  const number = before.next();
  before.commit();
  before.close();
  const after = open(t, directory);
  t.is(after.id("workload", "a"), id);
  t.is(after.highWater(), number);
  t.true(after.next() > number);
});

test("when the file is lost, counting goes on above what the kernel has seen", (t) => {
  const directory = scratch(t);
  const before = open(t, directory);
  before.id("workload", "a");
  before.commit();
  const floor = before.highWater();
  before.close();
  rmSync(join(directory, "ids.jsonl"));
  t.true(open(t, directory, floor).id("workload", "b") > floor);
});

test("half a line at the end, from a crash, and lines that make no sense do no harm", (t) => {
  const directory = scratch(t);
  writeFileSync(
    join(directory, "ids.jsonl"),
    '["workload a",3]\nnonsense\n{}\n["x",-1]\n["workload b",7]\n["workload c",',
  );
  const ids = open(t, directory);
  t.deepEqual([ids.id("workload", "a"), ids.id("workload", "b"), ids.id("workload", "c")], [3, 7, 8]);
  ids.commit();
  ids.close();
  t.is(open(t, directory).id("workload", "c"), 8);
});

test("an id is on disk as soon as commit returns", (t) => {
  const directory = scratch(t);
  const ids = open(t, directory);
  const id = ids.id("workload", "a");
  ids.commit();
  t.true(readFileSync(join(directory, "ids.jsonl"), "utf8").includes(`["workload a",${id}]\n`));
});

test("a name that comes back gets its id back, but only so many are remembered", (t) => {
  const ids = open(t, scratch(t), 0, 2);
  const names = ["a", "b", "c"];
  const given = names.map((name) => ids.id("workload", name));
  for (const name of names) ids.release("workload", name);
  t.is(ids.id("workload", "b"), given[1]!);
  const again = ids.id("workload", "a");
  t.true(again > Math.max(...given));
});

test("the journal does not grow without end", (t) => {
  const directory = scratch(t);
  const ids = open(t, directory);
  for (let round = 0; round < 6000; round++) {
    ids.next();
    if (round % 100 === 0) ids.commit();
  }
  ids.commit();
  t.true(readFileSync(join(directory, "ids.jsonl"), "utf8").split("\n").length < 5000);
  t.is(ids.highWater(), 6000);
});

test("a state directory that cannot be written is an error that says so", (t) => {
  const error = t.throws(() => open(t, join(scratch(t), "missing")), { instanceOf: WeirError });
  t.is(error?.code, "STATE_UNUSABLE");
});

test("after a failed write the next one stores everything", (t) => {
  const directory = scratch(t);
  const ids = open(t, directory);
  ids.id("workload", "a");
  ids.commit();
  // As if the append had failed half way: the journal is written anew, not continued.
  appendFileSync(join(directory, "ids.jsonl"), '["workload b",');
  ids.close();
  const after = open(t, directory);
  const id = after.id("workload", "c");
  after.commit();
  t.is(open(t, directory).id("workload", "c"), id);
});
