import test from "ava";
import { withServerEnds } from "../../src/flows/mirror.ts";
import { decodeRecord, End, Kind, Path, RECORD_SIZE, RecordFlag } from "../../src/flows/record.ts";
import { record, rows } from "./rows.ts";

const direct = { path: Path.direct, end: End.source, kind: Kind.close, connection: 7, dialledPort: 80 };

test("a direct connection is told for its server's end, too, right after its client's", (t) => {
  const all = withServerEnds(rows(record({ ...direct, bytesToServer: 5 }), record({ path: Path.passThrough })));
  t.is(all.length, 3 * RECORD_SIZE);
  const [client, server, other] = [0, 1, 2].map((index) => decodeRecord(all, index * RECORD_SIZE));
  t.like(client, { connection: 7, end: End.source, dialledPort: 80 });
  t.like(server, { end: End.destination, bytesToServer: 5, sourcePort: client!.sourcePort });
  t.is(other!.path, Path.passThrough);
});

test("a server's end is another connection, and was dialled at its own address", (t) => {
  const server = decodeRecord(withServerEnds(rows(record(direct))), RECORD_SIZE);
  t.is(server.connection, 2 ** 51 + 7);
  t.is(server.dialledPort, server.destinationPort);
  t.deepEqual(server.dialled, server.destination);
});

const alone = test.macro({
  exec(t, more: Parameters<typeof record>[0]) {
    const batch = rows(record({ ...direct, ...more }));
    t.is(withServerEnds(batch), batch);
  },
  title: (what = "") => `${what} has no server's end`,
});

test("what was refused", alone, { kind: Kind.deny });
test("what found no server", alone, { flags: RecordFlag.failed });
test("what another end told", alone, { end: End.destination });
test("what the node proxy carries", alone, { path: Path.proxied });
