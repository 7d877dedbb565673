// Connections that are older than this agent, as rows: sock_diag knows their addresses, state knows who has them.
import type { Names } from "../mesh/names.ts";
import { isServerEnd, type Workload } from "../mesh/workload.ts";
import type { Adoption } from "./live.ts";
import { Action, End, encodeRecord, Kind, Path, RECORD_LAYOUT, RECORD_SIZE } from "./record.ts";
import { movedBytes, type SocketFigures } from "./socket.ts";

/**
 * Rows for the sockets of captured namespaces. Ask before the node proxy opens anything there: afterwards its own sockets look
 * like the apps'. `nowNs` is CLOCK_MONOTONIC; when these connections opened is not known, so they count from now.
 */
export function adoptionsOf(sockets: readonly SocketFigures[], names: Names, nowNs: number): Adoption[] {
  return sockets.flatMap((socket) => {
    const local = names.workloadAt(socket.local);
    if (local === undefined || Buffer.compare(socket.local, socket.remote) === 0) return [];
    const remote = names.workloadAt(socket.remote);
    const row = rowOf(socket, local, remote, nowNs);
    // Of a direct connection the client's end speaks for both.
    return row[PATH] === Path.direct && row[END] === End.destination ? [] : [{ socket, row }];
  });
}

function rowOf(socket: SocketFigures, local: Workload, remote: Workload | undefined, nowNs: number): Buffer {
  const serves = isServerEnd(local, socket.localPort, remote, socket.remotePort);
  const direct = remote?.local === true && remote.captured;
  const here = { address: socket.local, port: socket.localPort, workload: local.id };
  const there = {
    address: socket.remote,
    port: socket.remotePort,
    workload: serves && !direct ? 0 : (remote?.id ?? 0),
  };
  const [client, server] = serves ? [there, here] : [here, there];
  const moved = movedBytes(socket, !serves);
  const row = Buffer.alloc(RECORD_SIZE);
  encodeRecord(
    {
      timeNs: nowNs,
      connection: Number(socket.connection),
      durationNs: 0,
      bytesToServer: moved.toServer,
      bytesToClient: moved.toClient,
      source: client.address,
      destination: server.address,
      dialled: server.address,
      sourcePort: client.port,
      destinationPort: server.port,
      dialledPort: server.port,
      kind: Kind.update,
      end: serves ? End.destination : End.source,
      path: direct ? Path.direct : Path.passThrough,
      flags: 0,
      sourceWorkload: client.workload,
      destinationWorkload: server.workload,
      service: 0,
      rttUs: socket.rttUs,
      retransmits: socket.retransmits,
      verdict: noVerdict,
    },
    row,
    0,
  );
  return row;
}

const noVerdict = {
  action: Action.none,
  reason: 0,
  policy: 0,
  rule: 0,
  dryRunAction: Action.none,
  dryRunPolicy: 0,
  dryRunRule: 0,
  generation: 0,
};

const PATH = RECORD_LAYOUT.path.offset;
const END = RECORD_LAYOUT.end.offset;
