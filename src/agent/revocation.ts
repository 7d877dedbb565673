// Connections that a policy change ended, as rows: the kernel's own close record cannot say why.
import { Action, End, encodeRecord, Kind, Path, RECORD_SIZE, RecordFlag } from "../flows/record.ts";
import type { Revocation } from "../snapshot/recheck.ts";

/** enum reason of bpf/abi.h. */
const REASON_REVOKED = 14;

/** One row for each revocation, in order. `nowNs` is CLOCK_MONOTONIC. */
export function revocationRows(revocations: readonly Revocation[], nowNs: bigint): Buffer {
  const rows = Buffer.alloc(revocations.length * RECORD_SIZE);
  for (const [index, { client, server, connection, answer }] of revocations.entries()) {
    const record = {
      timeNs: Number(nowNs),
      connection: Number(connection),
      ...{ durationNs: 0, bytesToServer: 0, bytesToClient: 0, service: 0, rttUs: 0, retransmits: 0 },
      ...{ source: client.address, sourcePort: client.port, sourceWorkload: client.workload },
      ...{ destination: server.address, destinationPort: server.port, destinationWorkload: server.workload },
      ...{ dialled: server.address, dialledPort: server.port },
      kind: Kind.deny,
      end: End.destination,
      path: Path.direct,
      flags: RecordFlag.reset,
      verdict: { ...answer, action: Action.deny, reason: REASON_REVOKED, generation: 0 },
    };
    encodeRecord(record, rows, index * RECORD_SIZE);
  }
  return rows;
}
