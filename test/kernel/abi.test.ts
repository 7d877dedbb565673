// Layouts and numbers of bpf/abi.h that TypeScript and Rust restate, held against what the compiler made of them.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test from "ava";
import { command } from "../../src/demo/command.ts";
import { reasons } from "../../src/flows/reason.ts";
import { Action, End, Kind, Path, RECORD_LAYOUT, RECORD_SIZE, RecordFlag } from "../../src/flows/record.ts";
import { kernelEvents } from "../../src/metrics/kernel-events.ts";

interface BtfType {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly size: number;
  readonly type_id: number;
  readonly nr_elems: number;
  readonly members: readonly { readonly name: string; readonly type_id: number; readonly bits_offset: number }[];
  readonly values: readonly { readonly name: string; readonly val: number }[];
}

interface Field {
  readonly offset: number;
  readonly size: number;
}

const root = resolve(import.meta.dirname, "../..");
const core = `${root}/native/proxy/core/src`;
const scratch = mkdtempSync(join(tmpdir(), "weir-abi-"));
let header: Map<number, BtfType>;
let built: Map<number, BtfType>;

test.before(async () => {
  const object = `${scratch}/abi.o`;
  const includes = [
    "-I",
    `${root}/bpf`,
    "-idirafter",
    `/usr/include/${(await command(["uname", "-m"])).trim()}-linux-gnu`,
  ];
  await command([
    "clang",
    "-O2",
    "-g",
    "-target",
    "bpf",
    ...includes,
    "-c",
    `${import.meta.dirname}/abi.c`,
    "-o",
    object,
  ]);
  header = await typesOf(object);
  built = await typesOf(`${root}/build/bpf/weir.bpf.o`);
});
test.after.always(() => rmSync(scratch, { recursive: true }));

test("src/flows/record.ts has the layout of struct record", (t) => {
  t.is(RECORD_SIZE, named(header, "STRUCT", "record").size);
  const expected = fieldsOf(header, named(header, "STRUCT", "record"));
  t.deepEqual(new Map<string, Field>(Object.entries(RECORD_LAYOUT)), expected);
});

test("the node proxy has the layout of struct record", (t) => {
  const source = readFileSync(`${core}/record.rs`, "utf8");
  const rows = [...source.matchAll(/\("(\w+)", (\d+), (\d+)\)/g)];
  const stated = new Map(rows.map(([, name, offset, size]) => [name, { offset: Number(offset), size: Number(size) }]));
  const record = named(header, "STRUCT", "record");
  const members = record.members.map(({ name, bits_offset, type_id }) => {
    return [name, { offset: bits_offset / 8, size: sizeOf(header, type_id) }] as const;
  });
  t.deepEqual(stated, new Map<string | undefined, Field>(members));
});

test("the node proxy has the sizes of the rows it reads and writes", (t) => {
  const source = readFileSync(`${core}/maps.rs`, "utf8") + readFileSync(`${core}/verdict.rs`, "utf8");
  for (const name of ["origin", "exemption", "verdict", "verdict_key"]) {
    const stated = new RegExp(`${name.toUpperCase()}_BYTES: usize = (\\d+)`).exec(source);
    t.is(Number(stated?.[1]), named(header, "STRUCT", name).size, name);
  }
});

test("the built programs have the layouts of the header", (t) => {
  for (const name of ["verdict", "verdict_key", "origin", "exemption", "pod", "workload", "guard"]) {
    const inHeader = fieldsOf(header, named(header, "STRUCT", name));
    t.deepEqual(fieldsOf(built, named(built, "STRUCT", name)), inHeader, `${name}: run make`);
  }
});

test("TypeScript numbers kinds, ends, paths, actions and flags as the header does", (t) => {
  t.deepEqual(camel(enumOf("record_kind", "RECORD_")), { ...Kind });
  t.deepEqual(camel(enumOf("end", "END_")), { ...End });
  t.deepEqual(camel(enumOf("path_kind", "PATH_")), { ...Path });
  t.deepEqual(camel(enumOf("action", "ACTION_")), { ...Action });
  t.deepEqual(camel(enumOf("record_flag", "RECORD_")), { ...RecordFlag });
});

test("every reason has its sentence and every counter its label", (t) => {
  t.deepEqual(
    reasons.map(({ code }) => code),
    Object.keys(enumOf("reason", "REASON_")),
  );
  const counters = Object.keys(enumOf("counter", "COUNTER_")).filter((name) => name !== "MAX");
  t.deepEqual(
    kernelEvents,
    counters.map((name) => name.toLowerCase()),
  );
});

async function typesOf(object: string): Promise<Map<number, BtfType>> {
  const printed = await command(["bpftool", "-j", "btf", "dump", "file", object]);
  const types: BtfType[] = JSON.parse(printed).types;
  return new Map(types.map((type) => [type.id, type]));
}

function named(types: Map<number, BtfType>, kind: string, name: string): BtfType {
  const found = [...types.values()].find((type) => type.kind === kind && type.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name} in the BTF`);
  return found;
}

function sizeOf(types: Map<number, BtfType>, id: number): number {
  const type = types.get(id)!;
  if (type.kind === "TYPEDEF") return sizeOf(types, type.type_id);
  if (type.kind === "ARRAY") return type.nr_elems * sizeOf(types, type.type_id);
  return type.size;
}

/** Offsets and sizes by name; those of a struct inside by NAME.FIELD, addresses as a whole. */
function fieldsOf(types: Map<number, BtfType>, struct: BtfType): Map<string, Field> {
  return new Map(
    struct.members.flatMap(({ name, type_id, bits_offset }): [string, Field][] => {
      const offset = bits_offset / 8;
      const inner = types.get(type_id)!;
      if (inner.kind !== "STRUCT" || inner.name === "address")
        return [[name, { offset, size: sizeOf(types, type_id) }]];
      const fields = [...fieldsOf(types, inner)];
      return fields.map(([field, at]) => [`${name}.${field}`, { offset: offset + at.offset, size: at.size }]);
    }),
  );
}

function enumOf(name: string, prefix: string): Record<string, number> {
  const { values } = named(header, "ENUM", name);
  return Object.fromEntries(values.map((value) => [value.name.replace(prefix, ""), value.val]));
}

/** PASS_THROUGH -> passThrough */
function camel(numbers: Record<string, number>): Record<string, number> {
  const renamed = (name: string) => name.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(numbers).map(([name, number]) => [renamed(name), number]));
}
