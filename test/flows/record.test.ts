import { readFileSync } from "node:fs";
import test from "ava";
import { reasons } from "../../src/flows/reason.ts";
import { decodeRecord, isDenied, Kind, kindAt, longAt, RECORD_LAYOUT, RECORD_SIZE } from "../../src/flows/record.ts";
import { kernelEvents } from "../../src/metrics/kernel-events.ts";
import { denied, record, rows } from "./rows.ts";

const abi = readFileSync(new URL("../../bpf/abi.h", import.meta.url), "utf8");

function membersOf(keyword: string, name: string): string[] {
  const body = new RegExp(`^${keyword} ${name} \\{\\n([\\s\\S]*?)^\\}`, "m").exec(abi)?.[1] ?? "";
  return body
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .match(/[^;,\n]+[;,]/g)!
    .map((line) => line.trim().slice(0, -1));
}

test("the layout has the fields of struct record in order, without gaps", (t) => {
  const sizes: Record<string, number> = { __u64: 8, __u32: 4, __u16: 2, __u8: 1, "struct address": 16 };
  const verdict = membersOf("struct", "verdict").map((member) => `__u32 verdict.${member.split(" ").at(-1)}`);
  const members = membersOf("struct", "record").flatMap((member) =>
    member === "struct verdict verdict" ? verdict : [member],
  );
  let offset = 0;
  const expected = members.map((member) => {
    const name = member.split(" ").at(-1)!;
    const size = sizes[member.slice(0, -name.length - 1)]!;
    offset += size;
    return [name, { offset: offset - size, size }] as const;
  });
  t.deepEqual(
    Object.entries(RECORD_LAYOUT),
    expected.map(([name, place]) => [name, place] as [string, typeof place]) as never,
  );
  t.is(RECORD_SIZE, offset);
});

test("every reason of the kernel has a sentence, in order", (t) => {
  const names = membersOf("enum", "reason").map((member) => member.replace(/^REASON_/, "").replace(/ = .*/, ""));
  t.deepEqual(
    reasons.map(({ code }) => code),
    names,
  );
  t.true(reasons.every(({ sentence }) => sentence.length > 0));
});

test("every counter of the kernel has a label value, in order", (t) => {
  const names = membersOf("enum", "counter").map((member) => member.replace(/^COUNTER_/, "").replace(/ = .*/, ""));
  t.deepEqual(
    kernelEvents,
    names.filter((name) => name !== "MAX").map((name) => name.toLowerCase()),
  );
});

test("a row that was written is read back whole", (t) => {
  const one = record({
    kind: Kind.close,
    bytesToServer: 2 ** 40 + 1,
    rttUs: 7,
    retransmits: 3,
    verdict: { policy: 2 ** 32 - 1 },
  });
  t.deepEqual(decodeRecord(rows(record(), one), RECORD_SIZE), one);
});

test("fields are read in place, 64-bit ones beyond 32 bits too", (t) => {
  const batch = rows(record({ kind: Kind.update, connection: 2 ** 45 + 3 }));
  t.is(kindAt(batch, 0), Kind.update);
  t.is(longAt(batch, RECORD_LAYOUT.connection.offset), 2 ** 45 + 3);
});

test("a refusal and a revoked connection are denied, an allowed one is not", (t) => {
  t.true(isDenied(rows(denied()), 0));
  t.true(isDenied(rows(record({ kind: Kind.close, verdict: { action: 2 } })), 0));
  t.false(isDenied(rows(record()), 0));
});
