import test from "ava";
import type { Cursor } from "../../src/flows/cursor.ts";
import { decodeRecord, RECORD_SIZE } from "../../src/flows/record.ts";
import { FlowRing } from "../../src/flows/ring.ts";
import { WorkloadsSeen } from "../../src/flows/workloads-seen.ts";
import { cart, denied, probe, record, rows, web } from "./rows.ts";

const ringOf = (rowCount: number, deniedRows: number) =>
  new FlowRing({ rows: rowCount, deniedRows, firstSequence: 100 });
const allowed = (count: number, connection = 0) =>
  Array.from({ length: count }, (_, index) => record({ connection: connection + index }));

function read(cursor: Cursor): number[] {
  const sequences: number[] = [];
  for (let row = cursor.next(); row !== undefined; row = cursor.next()) sequences.push(row.sequence);
  return sequences;
}

function readBack(cursor: Cursor): number[] {
  const sequences: number[] = [];
  for (let row = cursor.previous(); row !== undefined; row = cursor.previous()) sequences.push(row.sequence);
  return sequences;
}

test("rows come out in order of arrival, denied ones among the others, forward and back", (t) => {
  const ring = ringOf(16, 16);
  ring.ingest("kernel", rows(record(), denied(), record(), denied(), denied()), 0);
  ring.ingest("proxy", rows(record()), 0);
  t.deepEqual(read(ring.oldest()), [100, 101, 102, 103, 104, 105]);
  t.deepEqual(readBack(ring.newest()), [105, 104, 103, 102, 101, 100]);
});

test("a flood of allowed flows evicts no denied one", (t) => {
  const ring = ringOf(8, 4);
  ring.ingest("kernel", rows(denied(), denied()), 0);
  for (let batch = 0; batch < 50; batch++) ring.ingest("kernel", rows(...allowed(5)), 0);
  t.deepEqual(read(ring.oldest()), [100, 101, 344, 345, 346, 347, 348, 349, 350, 351]);
  t.is(ring.storedDenied, 2);
});

test("the last denied rows are kept when there are too many", (t) => {
  const ring = ringOf(8, 4);
  ring.ingest("kernel", rows(...Array.from({ length: 10 }, () => denied())), 0);
  t.deepEqual(read(ring.oldest()), [106, 107, 108, 109]);
});

test("a batch larger than the ring leaves its end, and the contents of each row stay with its number", (t) => {
  const ring = ringOf(4, 2);
  ring.ingest("kernel", rows(...allowed(11)), 0);
  const cursor = ring.oldest();
  for (let row = cursor.next(); row !== undefined; row = cursor.next())
    t.is(decodeRecord(row.rows, row.offset).connection, row.sequence - 100);
  t.deepEqual(read(ring.oldest()), [107, 108, 109, 110]);
});

test("a follower that was overtaken is told exactly how many rows it missed", (t) => {
  const ring = ringOf(8, 4);
  ring.ingest("kernel", rows(...allowed(3), denied()), 0);
  const cursor = ring.oldest();
  t.is(cursor.next()!.sequence, 100);
  ring.ingest("kernel", rows(...allowed(20)), 0);
  const seen = read(cursor);
  const lost = cursor.takeLost();
  t.is(1 + seen.length + lost, 24);
  t.is(lost, 14);
  t.is(seen[0], 103, "the denied row was not overwritten");
  t.is(cursor.takeLost(), 0);
});

test("random batches lose nothing uncounted", (t) => {
  const ring = ringOf(32, 8);
  const cursor = ring.oldest();
  let read = 0;
  let lost = 0;
  let written = 0;
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % below;
  };
  let last = 0;
  for (let round = 0; round < 500; round++) {
    const batch = Array.from({ length: random(40) }, () => (random(5) === 0 ? denied() : record()));
    ring.ingest("kernel", rows(...batch), 0);
    written += batch.length;
    for (let left = random(60); left > 0; left--) {
      const row = cursor.next();
      lost += cursor.takeLost();
      if (row === undefined) break;
      t.true(row.sequence > last);
      last = row.sequence;
      read++;
    }
  }
  while (cursor.next() !== undefined) read++;
  t.is(read + lost + cursor.takeLost(), written);
});

test("what the sources lost is counted by source", (t) => {
  const ring = ringOf(4, 2);
  ring.ingest("kernel", rows(record()), 3);
  ring.ingest("proxy", Buffer.alloc(0), 4);
  ring.reportLost("kernel", 5);
  t.deepEqual(ring.lost(), { kernel: 8, proxy: 4, agent: 0 });
  t.is(ring.seen, 1);
});

test("a batch that ends within a row is taken up to its last whole one", (t) => {
  const ring = ringOf(4, 2);
  ring.ingest("kernel", rows(record(), record()).subarray(0, RECORD_SIZE + 10), 0);
  t.is(ring.seen, 1);
});

test("a row is found by its number while it is kept", (t) => {
  const ring = ringOf(4, 2);
  ring.ingest("kernel", rows(denied(), ...allowed(9)), 0);
  t.is(ring.find(100)?.sequence, 100);
  t.is(ring.find(109)?.sequence, 109);
  t.is(ring.find(103), undefined);
  t.is(ring.find(110), undefined);
});

test("times are wall times, also when the clock was stepped and the machine slept", (t) => {
  const clock = { monotonic: 1_000_000, wall: 50_000_000 };
  const ring = new FlowRing({ rows: 8, clock: { monotonicUs: () => clock.monotonic, wallUs: () => clock.wall } });
  const last = () => ring.newest().previous()!.timeUs;
  ring.ingest("kernel", rows(record({ timeNs: 999_000_000 })), 0);
  t.is(last(), 49_999_000);
  clock.monotonic += 10_000;
  clock.wall += 10_900; // jitter: less than a step
  ring.ingest("kernel", rows(record({ timeNs: 1_010_000_000 })), 0);
  t.is(last(), 50_010_000);
  clock.monotonic += 1_000_000;
  clock.wall += 3_600_000_000; // an hour of sleep
  ring.ingest("kernel", rows(record({ timeNs: 2_010_000_000 })), 0);
  t.is(last(), clock.wall);
});

test("sequence numbers of a restarted agent are above those of the one before it", (t) => {
  const at = (wall: number) =>
    new FlowRing({ rows: 1, deniedRows: 1, clock: { monotonicUs: () => 0, wallUs: () => wall } }).nextSequence;
  const now = Date.UTC(2026, 5, 1) * 1000;
  t.true(at(now + 10_000_000) >= at(now) + 650_000);
  t.true(Number.isSafeInteger(at(Date.UTC(2100, 0, 1) * 1000)));
});

test("workloads with traffic are remembered longer than their rows", (t) => {
  const seen = new WorkloadsSeen();
  seen.record(rows(record(), denied()), 1_000_000);
  seen.record(rows(record()), 9_000_000);
  t.deepEqual(seen.since(0).sort(), [web.id, cart.id, probe.id]);
  t.deepEqual(seen.since(5_000_000).sort(), [web.id, cart.id]);
  for (let id = 10; id < 40_000; id++) seen.record(rows(record({ sourceWorkload: id })), 10_000_000 + id);
  t.true(seen.since(0).length <= 16_384);
  t.true(seen.since(0).includes(39_999));
});
