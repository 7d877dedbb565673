import test from "ava";
import { duration, fields, size, table } from "../../src/cli/render.ts";
import { Selection } from "../../src/cli/selection.ts";
import { parseTime, timeFormats } from "../../src/cli/time.ts";

test("tables align their columns and end without spaces", (t) => {
  t.is(
    table(
      ["a", "long one"],
      [
        ["xyz", ""],
        ["", "1"],
      ],
    ),
    "A     LONG ONE\nxyz\n      1\n",
  );
});

test("fields align their values", (t) => {
  t.is(
    fields([
      ["a", "1"],
      ["long", "2"],
    ]),
    "a:     1\nlong:  2\n",
  );
});

test("sizes and durations are short and keep two digits", (t) => {
  t.deepEqual([0, 999, 1_000, 1_234, 99_400, 99_950, 999_600, 1_500_000_000].map(size), [
    "0 B",
    "999 B",
    "1.0 kB",
    "1.2 kB",
    "99.4 kB",
    "100 kB",
    "1.0 MB",
    "1.5 GB",
  ]);
  t.deepEqual([0.123, 12.4, 1_500, 65_000, 7_500_000].map(duration), [
    "0.12 ms",
    "12 ms",
    "1.5 s",
    "1 min 5 s",
    "2 h 5 min",
  ]);
});

const now = new Date("2026-05-01T12:00:00.000Z");

for (const [text, time] of Object.entries({
  "30s": "2026-05-01T11:59:30.000Z",
  "1h30m": "2026-05-01T10:30:00.000Z",
  "2026-04-30": "2026-04-30T00:00:00.000Z",
  "2026-04-30T10Z": "2026-04-30T10:00:00.000Z",
  "2026-04-30T10:20:30.5+02:00": "2026-04-30T08:20:30.500Z",
  "Thu, 30 Apr 2026 10:00:00 +0000": "2026-04-30T10:00:00.000Z",
})) {
  test(`the time ${text} is understood`, (t) => t.is(parseTime(text, now), time));
}

test("times are printed in hubble's formats", (t) => {
  const time = "2026-05-01T09:08:07.654Z";
  t.deepEqual(Object.fromEntries(Object.entries(timeFormats).map(([name, print]) => [name, print(time)])), {
    StampMilli: "May  1 09:08:07.654",
    YearMonthDay: "2026-05-01",
    YearMonthDayHour: "2026-05-01T09Z",
    YearMonthDayHourMinute: "2026-05-01T09:08Z",
    RFC3339: "2026-05-01T09:08:07Z",
    RFC3339Milli: "2026-05-01T09:08:07.654Z",
    RFC1123Z: "Fri, 01 May 2026 09:08:07 +0000",
  });
});

function selected(...flags: readonly (readonly [flag: string, value?: string])[]) {
  const selection = new Selection();
  for (const [flag, value = ""] of flags) flag === "not" ? selection.not() : selection.add(flag, value);
  return { allow: selection.allow, deny: selection.deny };
}

test("no flag selects everything", (t) => {
  t.deepEqual(selected(), { allow: [], deny: [] });
});

test("a flag for either end makes two filters, others join both", (t) => {
  t.deepEqual(selected(["pod", "a/b"], ["verdict", "denied"], ["to-port", "80"]).allow, [
    { sourcePod: ["a/b"], verdict: ["DROPPED"], destinationPort: ["80"] },
    { destinationPod: ["a/b"], verdict: ["DROPPED"], destinationPort: ["80"] },
  ]);
});

test("flags for given ends make one filter, and values of a flag add up", (t) => {
  t.deepEqual(selected(["from-ip", "1.1.1.1"], ["from-ip", "2.2.2.2"], ["to-workload", "Deployment/x"]).allow, [
    { sourceIp: ["1.1.1.1", "2.2.2.2"], destinationWorkload: [{ kind: "Deployment", name: "x" }] },
  ]);
});

test("--not turns only the next flag around", (t) => {
  t.deepEqual(selected(["not"], ["from-namespace", "x"], ["protocol", "tcp"]), {
    allow: [{ protocol: ["tcp"] }],
    deny: [{ sourcePod: ["x/"] }],
  });
});

test("a bare pod name takes the namespaces beside it", (t) => {
  t.deepEqual(selected(["from-namespace", "x"], ["from-pod", "web"], ["from-pod", "y/z"]).allow, [
    { sourcePod: ["y/z", "x/web"] },
  ]);
});

test("values of a wrong form are refused", (t) => {
  t.throws(() => selected(["identity", "x"]), { message: /"x" is not a number/ });
  t.throws(() => selected(["tcp-flags", "syn,quux"]), { message: /no TCP flag "QUUX"/ });
  t.throws(() => selected(["verdict", "maybe"]), { message: /"MAYBE" is none of FORWARDED, DROPPED, AUDIT/ });
  t.throws(() => selected(["traffic-direction", "up"]), { message: /"up" is none of INGRESS, EGRESS/ });
  t.throws(() => selected(["ip-version", "5"]), { message: /"5" is neither v4 nor v6/ });
  t.throws(() => selected(["to-workload", ""]), { message: /a workload to filter by is empty/ });
  t.throws(() => selected(["protocol", "tcp"], ["not"]), { message: /--not stands before the filter/ });
  t.throws(() => selected(["port", "1"], ["to-port", "2"]), { message: /--to-port cannot be combined with --port/ });
});
