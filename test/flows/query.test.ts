import test from "ava";
import { type FlowEvent, type FlowQuery, findFlow, readFlows } from "../../src/flows/query.ts";
import { FlowRing } from "../../src/flows/ring.ts";
import { denied, record, rows, shop } from "./rows.ts";

const everything = () => true;

/** A ring in which the flow with source port n happened n seconds after the epoch. */
function setup(count: number, options: { rows?: number } = {}) {
  const clock = { monotonicUs: () => 0, wallUs: () => 0 };
  const ring = new FlowRing({ rows: options.rows ?? 4_096, clock, firstSequence: 0 });
  let next = 1;
  const add = (more: number) => {
    for (let index = 0; index < more; index++, next++) {
      const fields = { sourcePort: next, timeNs: next * 1e9 };
      ring.ingest("kernel", rows(next % 10 === 0 ? denied(fields) : record(fields)), 0);
    }
  };
  add(count);
  return { ring, add, sources: { ring, names: shop, node: "a" } };
}

const portOf = (event: FlowEvent): number | string =>
  "flow" in event ? event.flow.source.port : `lost ${event.lost} by ${event.by}`;

async function ports(setting: ReturnType<typeof setup>, query: Partial<FlowQuery>): Promise<(number | string)[]> {
  const seen: (number | string)[] = [];
  const signal = AbortSignal.timeout(5_000);
  for await (const event of readFlows(setting.sources, { matches: everything, ...query }, signal))
    seen.push(portOf(event));
  return seen;
}

test("with no number and no time, everything that is kept is read", async (t) => {
  t.is((await ports(setup(2_000), {})).length, 2_000);
});

test("a number alone reads the last ones, counted after filtering", async (t) => {
  t.deepEqual(await ports(setup(50), { number: 3 }), [48, 49, 50]);
  const odd = await ports(setup(50), { number: 3, matches: (flow) => flow.source.port % 2 === 1 });
  t.deepEqual(odd, [45, 47, 49]);
  const deniedOnly = await ports(setup(2_000), { number: 2, matches: (flow) => flow.verdict === "denied" });
  t.deepEqual(deniedOnly, [1_990, 2_000]);
});

test("first reads from the oldest that is kept", async (t) => {
  t.deepEqual(await ports(setup(50), { number: 3, first: true }), [1, 2, 3]);
});

test("since and until bound the time, and since decides where to start", async (t) => {
  t.deepEqual(await ports(setup(50), { sinceUs: 10e6, untilUs: 12e6 }), [10, 11, 12]);
  t.deepEqual(await ports(setup(50), { sinceUs: 10e6, number: 2 }), [10, 11]);
  t.deepEqual(await ports(setup(50), { untilUs: 12e6, number: 2 }), [11, 12]);
});

test("following begins with what is new, or looks back as far as it is told", async (t) => {
  const setting = setup(20);
  const stop = new AbortController();
  const seen: (number | string)[] = [];
  const reading = (async () => {
    const query = { follow: true, number: 2, matches: everything };
    for await (const event of readFlows(setting.sources, query, stop.signal)) {
      seen.push(portOf(event));
      if (seen.length === 5) stop.abort();
    }
  })();
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.deepEqual(seen, [19, 20]);
  setting.add(3);
  await reading;
  t.deepEqual(seen, [19, 20, 21, 22, 23]);
});

test("a follower is told what was lost: overwritten unseen, and before the ring", async (t) => {
  const setting = setup(5, { rows: 16 });
  const stop = new AbortController();
  const query = { follow: true, number: 5, matches: everything };
  const events = readFlows(setting.sources, query, stop.signal);
  t.is(portOf((await events.next()).value!), 1);
  setting.add(44);
  setting.ring.reportLost("kernel", 7);
  const seen: (number | string)[] = [];
  for (let left = 22; left > 0; left--) seen.push(portOf((await events.next()).value!));
  stop.abort();
  t.deepEqual(
    seen.filter((event) => typeof event === "string"),
    ["lost 28 by ring", "lost 7 by kernel"],
  );
  t.deepEqual(seen.filter((event) => typeof event === "number").slice(0, 4), [10, 20, 30, 33]);
  t.is(seen.at(-1), 49);
});

test("following ends soon after the time it was told to end at", async (t) => {
  const clock = { monotonicUs: () => 0, wallUs: () => 100e6 };
  const ring = new FlowRing({ rows: 16, clock });
  const sources = { ring, names: shop, node: "a" };
  const query = { follow: true, untilUs: 50e6, matches: everything };
  for await (const _ of readFlows(sources, query, AbortSignal.timeout(3_000))) t.fail();
  t.pass();
});

test("a reader that is not following ends at what was there when it began", async (t) => {
  const setting = setup(3);
  const events = readFlows(setting.sources, { matches: everything }, new AbortController().signal);
  await events.next();
  setting.add(100);
  let more = 0;
  for await (const _ of events) more++;
  t.is(more, 2);
});

test("other work gets its turn while a long history is filtered", async (t) => {
  const setting = setup(4_000);
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  await ports(setting, { matches: () => false });
  clearInterval(timer);
  t.true(turns > 0);
});

test("a flow is found by its number", (t) => {
  const { sources } = setup(12);
  t.is(findFlow(sources, 3)?.source.port, 4);
  t.is(findFlow(sources, 99), undefined);
});
