import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { FileSource, maxFileBytes } from "../../src/files/source.ts";
import { type ResourceChanges, resourceKey } from "../../src/kube/resources.ts";
import { createLog } from "../../src/log.ts";
import { eventually, sleep } from "../helpers/eventually.ts";
import { scratch } from "../helpers/resources.ts";

// As far apart as a busy machine needs.
const times = { quietMs: 150, stillMs: 800, graceMs: 150, sweepMs: 200 };

interface Batch {
  readonly at: number;
  readonly upserts: readonly string[];
  readonly deletes: readonly string[];
}

interface Bench {
  readonly directory: string;
  readonly source: FileSource;
  readonly batches: readonly Batch[];
  readonly logged: readonly string[];
  path(name: string): string;
  /** Writes elsewhere and moves into place. */
  move(name: string, text: string): void;
  write(name: string, text: string): void;
  /** Waits for the batch of this number. */
  batch(number: number): Promise<Batch | undefined>;
}

function bench(t: ExecutionContext, files: Readonly<Record<string, string>> = {}, directory = scratch(t)): Bench {
  const elsewhere = scratch(t);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const batches: Batch[] = [];
  const logged: string[] = [];
  const deliver = ({ upserts, deletes }: ResourceChanges) =>
    batches.push({ at: performance.now(), upserts: upserts.map(resourceKey), deletes: [...deletes] });
  const log = createLog("warn", { write: (line) => logged.push(line) });
  const source = new FileSource({ directory, log, deliver, times });
  t.teardown(() => source.close());
  const path = (name: string) => join(directory, name);
  return {
    ...{ directory, source, batches, logged, path },
    move(name, text) {
      writeFileSync(join(elsewhere, name), text);
      renameSync(join(elsewhere, name), path(name));
    },
    write: (name, text) => writeFileSync(path(name), text),
    async batch(number) {
      const deadline = performance.now() + 3000;
      while (batches.length <= number && performance.now() < deadline) await sleep(2);
      return batches[number];
    },
  };
}

const object = (name: string, label = "x") =>
  `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${name}\n  labels: {a: "${label}"}\n`;
const objects = (...names: string[]) => names.map((name) => object(name)).join("---\n");
const lists = (batch: Batch | undefined) => ({ upserts: batch?.upserts, deletes: batch?.deletes });

test("all there is comes as one batch before the constructor returns, hidden files and others left out", (t) => {
  const files = { "a.yaml": objects("a"), "b.yml": objects("b"), ".c.yaml": objects("c"), "d.txt": objects("d") };
  const { batches } = bench(t, {
    ...files,
    "e.json": JSON.stringify({ apiVersion: "v1", kind: "Node", metadata: { name: "e" } }),
  });
  t.deepEqual(batches.map(lists), [{ upserts: ["Namespace a", "Namespace b", "Node e"], deletes: [] }]);
});

test("a file that is moved into place is acted on within milliseconds, and only what changed is reported", async (t) => {
  const { move, batch } = bench(t, { "a.yaml": objects("a", "b", "c") });
  const delays: number[] = [];
  for (let round = 1; round <= 9; round++) {
    const started = performance.now();
    move("a.yaml", `${objects("a", "b")}---\n${object("c", `${round}`)}`);
    const got = await batch(round);
    t.deepEqual(lists(got), { upserts: ["Namespace c"], deletes: [] });
    delays.push((got?.at ?? Number.POSITIVE_INFINITY) - started);
  }
  delays.sort((left, right) => left - right);
  t.true((delays[4] ?? 0) < 20, `half of them took up to ${delays[4]} ms`);
});

test("files moved together come as one batch", async (t) => {
  const { move, batch } = bench(t);
  move("a.yaml", objects("a"));
  move("b.yaml", objects("b"));
  t.deepEqual(lists(await batch(0)), { upserts: ["Namespace a", "Namespace b"], deletes: [] });
});

test("a new file written in place is read when it is quiet", async (t) => {
  const { path, write, batch, batches } = bench(t);
  write("a.yaml", object("a"));
  for (const name of ["b", "c"]) {
    await sleep(times.quietMs / 3);
    t.is(batches.length, 0);
    appendFileSync(path("a.yaml"), `---\n${object(name)}`);
  }
  t.deepEqual((await batch(0))?.upserts, ["Namespace a", "Namespace b", "Namespace c"]);
});

test("a file rewritten in place without losing objects is read when it is quiet", async (t) => {
  const { write, batch } = bench(t, { "a.yaml": objects("a") });
  const started = performance.now();
  write("a.yaml", objects("a", "b"));
  const got = await batch(1);
  t.deepEqual(lists(got), { upserts: ["Namespace b"], deletes: [] });
  t.true((got?.at ?? 0) - started >= times.quietMs - 5);
});

test("a file rewritten in place with fewer objects is believed only when it has been still for long", async (t) => {
  const { write, batch } = bench(t, { "a.yaml": objects("a", "b") });
  const started = performance.now();
  write("a.yaml", objects("a"));
  const got = await batch(1);
  t.deepEqual(lists(got), { upserts: [], deletes: ["Namespace b"] });
  t.true((got?.at ?? 0) - started >= times.stillMs - 5);
});

test("a half-written file deletes nothing and reports nothing", async (t) => {
  const whole = objects("a", "b", "c");
  const { path, write, batch, batches, source } = bench(t, { "a.yaml": whole });
  const rewritten = whole.replaceAll('"x"', '"y"');
  write("a.yaml", "");
  for (let at = 0; at < rewritten.length; at += 80) {
    await sleep(times.quietMs * 1.5);
    t.is(batches.length, 1);
    t.deepEqual(source.problems(), []);
    appendFileSync(path("a.yaml"), rewritten.slice(at, at + 80));
  }
  t.deepEqual(lists(await batch(1)), { upserts: ["Namespace a", "Namespace b", "Namespace c"], deletes: [] });
});

test("a text that ends within a line counts as unfinished until it has been still for long", async (t) => {
  const { write, batch } = bench(t, { "a.yaml": object("a") });
  const started = performance.now();
  write("a.yaml", object("a", "y").trimEnd());
  const got = await batch(1);
  t.deepEqual(got?.upserts, ["Namespace a"]);
  t.true((got?.at ?? 0) - started >= times.stillMs - 5);
});

test("a file emptied in place keeps what it said, and is reported", async (t) => {
  const { write, source, batches, move, batch } = bench(t, { "a.yaml": object("a") });
  write("a.yaml", "");
  await eventually("the problem is reported", () => source.problems().length === 1);
  t.is(batches.length, 1);
  t.regex(source.problems()[0]?.message ?? "", /emptied in place/);
  move("a.yaml", "# nothing any more\n");
  t.deepEqual((await batch(1))?.deletes, ["Namespace a"]);
  t.deepEqual(source.problems(), []);
});

test("a file that is removed takes its objects with it", async (t) => {
  const { path, batch } = bench(t, { "a.yaml": object("a"), "b.yaml": object("b") });
  rmSync(path("a.yaml"));
  t.deepEqual(lists(await batch(1)), { upserts: [], deletes: ["Namespace a"] });
});

test("a file that is removed and comes back at once was never gone", async (t) => {
  const { path, move, batch } = bench(t, { "a.yaml": object("a") });
  rmSync(path("a.yaml"));
  await sleep(10);
  move("a.yaml", objects("a", "b"));
  t.deepEqual(lists(await batch(1)), { upserts: ["Namespace b"], deletes: [] });
});

test("a broken file is reported with file, line and why, its last good content stays, and it heals", async (t) => {
  const { move, batch, batches, source, logged } = bench(t, { "a.yaml": objects("a", "b") });
  move("a.yaml", `${object("a")}---\nkind: [`);
  await eventually("the problem is reported", () => source.problems().length === 1);
  const [problem] = source.problems();
  t.regex(problem?.where ?? "", /^a\.yaml:\d+:\d+$/);
  t.regex(problem?.message ?? "", /not valid YAML/);
  t.is(batches.length, 1);
  t.like(JSON.parse(logged[0] ?? "{}"), { level: "error", code: "FILE_SYNTAX", where: problem?.where });
  move("a.yaml", objects("a", "c"));
  t.deepEqual(lists(await batch(1)), { upserts: ["Namespace c"], deletes: ["Namespace b"] });
  t.deepEqual(source.problems(), []);
});

test("a file that is broken from the start is reported, and the others are in force", (t) => {
  const { batches, source } = bench(t, { "a.yaml": "kind: [", "b.yaml": object("b") });
  t.deepEqual(batches.map(lists), [{ upserts: ["Namespace b"], deletes: [] }]);
  t.is(source.problems().length, 1);
});

test("a file over the limit is refused with a sentence", async (t) => {
  const { move, source, batches } = bench(t, { "a.yaml": object("a") });
  move("a.yaml", `${"#".repeat(maxFileBytes)}\n`);
  await eventually("the problem is reported", () => source.problems().length === 1);
  t.is(source.problems()[0]?.message, "the file has 16777217 bytes, more than the 16777216 a manifest may have");
  t.is(batches.length, 1);
});

test("an object of another file is refused, naming both places, until that file lets go of it", async (t) => {
  const { move, source, batch } = bench(t, { "a.yaml": objects("a", "b"), "b.yaml": objects("c", "b") });
  t.deepEqual(source.problems(), [{ where: "b.yaml:7:1", message: "Namespace b is already defined at a.yaml:7" }]);
  move("a.yaml", objects("a"));
  t.deepEqual(lists(await batch(1)), { upserts: ["Namespace c"], deletes: [] });
  t.deepEqual(source.problems(), []);
});

test("files that exchange their objects in one move do so without a gap", async (t) => {
  const { move, batch, source } = bench(t, { "a.yaml": objects("a", "b"), "b.yaml": objects("c") });
  move("b.yaml", objects("b", "c"));
  move("a.yaml", objects("a", "d"));
  t.deepEqual(lists(await batch(1)), { upserts: ["Namespace d"], deletes: [] });
  t.deepEqual(source.problems(), []);
});

test("kinds Weir does not read are warned about, with file and line", (t) => {
  const { logged, source } = bench(t, {
    "a.yaml": `${object("a")}---\napiVersion: x/v1\nkind: Y\nmetadata: {name: z}\n`,
  });
  t.like(JSON.parse(logged[0] ?? "{}"), { level: "warn", file: "a.yaml", line: 6, type: "x/v1 Y" });
  t.deepEqual(source.problems(), []);
});

test("a directory that is missing is reported, and read when it is there", async (t) => {
  const directory = join(scratch(t), "later");
  const { source, batch, move } = bench(t, {}, directory);
  t.regex(source.problems()[0]?.message ?? "", /later cannot be read/);
  mkdirSync(directory);
  move("a.yaml", object("a"));
  t.deepEqual((await batch(0))?.upserts, ["Namespace a"]);
  t.deepEqual(source.problems(), []);
});

test("a directory that goes away takes nothing with it, and is followed when it is made anew", async (t) => {
  const directory = join(scratch(t), "manifests");
  mkdirSync(directory);
  const { source, batches, batch, move } = bench(t, { "a.yaml": objects("a", "b") }, directory);
  rmSync(directory, { recursive: true });
  await sleep(3 * times.sweepMs);
  t.is(batches.length, 1);
  t.is(source.problems().length, 1);
  mkdirSync(directory);
  move("a.yaml", objects("a"));
  t.deepEqual(lists(await batch(1)), { upserts: [], deletes: ["Namespace b"] });
});

test("files swapped through the ..data link of a mounted ConfigMap are followed", async (t) => {
  const { path, batch } = bench(t);
  for (const [version, text] of [
    ["..1", object("a")],
    ["..2", objects("a", "b")],
  ] as const) {
    mkdirSync(path(version));
    writeFileSync(join(path(version), "a.yaml"), text);
    symlinkSync(version, path("..new"));
    renameSync(path("..new"), path("..data"));
    if (version === "..1") symlinkSync("..data/a.yaml", path("a.yaml"));
    await batch(version === "..1" ? 0 : 1);
  }
  t.deepEqual(lists(await batch(1)), { upserts: ["Namespace b"], deletes: [] });
});
