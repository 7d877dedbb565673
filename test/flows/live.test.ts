import test from "ava";
import { adoptionsOf } from "../../src/flows/adoption.ts";
import { FlowIntake } from "../../src/flows/intake.ts";
import { LiveConnections } from "../../src/flows/live.ts";
import { decodeRecord, End, type FlowRecord, Kind, Path, RECORD_SIZE } from "../../src/flows/record.ts";
import { FlowRing } from "../../src/flows/ring.ts";
import type { SocketFigures } from "../../src/flows/socket.ts";
import { address, cart, record, rows, shop, web } from "./rows.ts";

// Client sockets: the kernel counts their SYN as a byte, so figures here are one more than what was sent.
const socket = (connection: number, more: Partial<SocketFigures> = {}): SocketFigures => ({
  connection: BigInt(connection),
  local: web.addresses[0]!,
  localPort: 40_000,
  remote: cart.addresses[0]!,
  remotePort: 8080,
  bytesAcked: 1,
  bytesReceived: 0,
  rttUs: 50,
  retransmits: 0,
  ...more,
});

function decoded(batch: Buffer): FlowRecord[] {
  return Array.from({ length: batch.length / RECORD_SIZE }, (_, index) => decodeRecord(batch, index * RECORD_SIZE));
}

const opened = (connection: number, more = {}) => rows(record({ connection, end: End.source, timeNs: 5e9, ...more }));

test("a connection that moved bytes reports them, in the direction of its end", (t) => {
  const live = new LiveConnections();
  live.record(opened(1));
  live.record(rows(record({ connection: 2, end: End.destination, timeNs: 5e9 })));
  const figures = { bytesReceived: 7, retransmits: 1 };
  const sockets = [socket(1, { ...figures, bytesAcked: 101 }), socket(2, { ...figures, bytesAcked: 100 })];
  const [client, server] = decoded(live.update(sockets, 15e9));
  t.like(client, {
    kind: Kind.update,
    connection: 1,
    bytesToServer: 100,
    bytesToClient: 7,
    durationNs: 10e9,
    timeNs: 15e9,
  });
  t.like(server, { connection: 2, bytesToServer: 7, bytesToClient: 100, rttUs: 50, retransmits: 1 });
  t.is(client!.verdict.reason, 1, "and keeps its verdict");
});

test("a connection that moved nothing since reports nothing", (t) => {
  const live = new LiveConnections();
  live.record(opened(1));
  t.is(live.update([socket(1, { bytesAcked: 5 })], 6e9).length, RECORD_SIZE);
  t.is(live.update([socket(1, { bytesAcked: 5 })], 7e9).length, 0);
  t.is(decoded(live.update([socket(1, { bytesAcked: 6 })], 9e9))[0]!.durationNs, 4e9, "time counts from the opening");
});

test("closed and proxied connections, and sockets nobody opened, report nothing", (t) => {
  const live = new LiveConnections();
  live.record(opened(1));
  live.record(rows(record({ connection: 1, kind: Kind.close })));
  live.record(opened(2, { path: Path.proxied }));
  t.is(live.size, 0);
  t.is(live.update([socket(1, { bytesAcked: 1 }), socket(2, { bytesAcked: 1 }), socket(3)], 6e9).length, 0);
});

test("a connection whose close record was lost is closed after it is missed three times", (t) => {
  const live = new LiveConnections();
  live.record(opened(1));
  live.update([socket(1, { bytesAcked: 10 })], 6e9);
  t.is(live.update([], 7e9).length, 0);
  t.is(live.update([], 8e9).length, 0);
  t.like(decoded(live.update([], 9e9))[0], { kind: Kind.close, connection: 1, bytesToServer: 9 });
  t.is(live.size, 0);
  t.is(live.closesLost, 1);
});

test("more connections than there is room for are counted, and room that was freed is used again", (t) => {
  const live = new LiveConnections({ capacity: 2 });
  for (const connection of [1, 2, 3]) live.record(opened(connection));
  t.is(live.overflowed, 1);
  live.record(rows(record({ connection: 1, kind: Kind.close })));
  live.record(opened(4));
  t.is(live.overflowed, 1);
  t.is(live.update([socket(4, { bytesAcked: 2 })], 6e9).length, RECORD_SIZE);
});

test("connections older than the agent are adopted with their ends told apart", (t) => {
  const sockets = [
    socket(1, { bytesAcked: 11, bytesReceived: 20 }),
    socket(2, {
      local: cart.addresses[0]!,
      localPort: 8080,
      remote: address("8.8.8.8"),
      remotePort: 5_000,
      bytesReceived: 3,
    }),
    socket(3, { remote: web.addresses[0]! }),
    socket(4, { local: address("10.250.0.1") }),
  ];
  const adoptions = adoptionsOf(sockets, shop, 1e9).map(({ row }) => decodeRecord(row, 0));
  t.is(adoptions.length, 2, "sockets to the pod itself, and of nobody, are left out");
  t.like(adoptions[0], {
    end: End.source,
    path: Path.direct,
    bytesToServer: 10,
    sourceWorkload: web.id,
    kind: Kind.update,
  });
  t.like(adoptions[1], { end: End.destination, path: Path.passThrough, bytesToServer: 3, sourceWorkload: 0 });
});

test("the intake hands rows to ring, live connections and counters", (t) => {
  const ring = new FlowRing({ rows: 64, deniedRows: 4 });
  const live = new LiveConnections();
  const counted: string[] = [];
  const counter = {
    record: (batch: Buffer) => void counted.push(`record ${batch.length / RECORD_SIZE}`),
    adopt: (batch: Buffer) => void counted.push(`adopt ${batch.length / RECORD_SIZE}`),
  };
  const intake = new FlowIntake(ring, live, counter);
  intake.ingest("kernel", new Uint8Array(opened(1)), 2);
  intake.adopt([socket(9, { bytesAcked: 4 })], shop, 6e9);
  intake.update([socket(1, { bytesAcked: 2 }), socket(9, { bytesAcked: 4 })], 7e9);
  intake.update([socket(1, { bytesAcked: 2 }), socket(9, { bytesAcked: 5 })], 8e9);
  // Each row is of a direct connection, which is told for both its ends.
  t.deepEqual(counted, ["record 2", "adopt 2", "record 2", "record 2"]);
  t.is(ring.seen, 8);
  t.is(ring.lost().kernel, 2);
  t.is(live.size, 2);
});
