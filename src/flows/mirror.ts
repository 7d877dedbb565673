// A direct connection has both its ends on this node, and the kernel tells of the client's only: watching the server's
// socket as well would double what a short connection costs, to learn the same figures.
import { End, Kind, longAt, Path, RECORD_LAYOUT, RECORD_SIZE, RecordFlag } from "./record.ts";

/** Above every socket cookie, below every connection id of the node proxy. */
const SERVER_END = 2 ** 51;

/** The rows, each of a direct connection followed by the same row as its server's end. The batch itself when there is none. */
export function withServerEnds(rows: Buffer): Buffer {
  let mirrored = 0;
  for (let row = 0; row < rows.length; row += RECORD_SIZE) if (isMirrored(rows, row)) mirrored++;
  if (mirrored === 0) return rows;
  const all = Buffer.allocUnsafe(rows.length + mirrored * RECORD_SIZE);
  let next = 0;
  for (let row = 0; row < rows.length; row += RECORD_SIZE) {
    rows.copy(all, next, row, row + RECORD_SIZE);
    next += RECORD_SIZE;
    if (!isMirrored(rows, row)) continue;
    rows.copy(all, next, row, row + RECORD_SIZE);
    asServerEnd(all, next);
    next += RECORD_SIZE;
  }
  return all;
}

// Not what was refused, and not what found no server.
const isMirrored = (rows: Buffer, row: number): boolean =>
  rows[row + PATH] === Path.direct &&
  rows[row + END] === End.source &&
  rows[row + KIND] !== Kind.deny &&
  (rows[row + FLAGS]! & RecordFlag.failed) === 0;

function asServerEnd(rows: Buffer, row: number): void {
  const connection = longAt(rows, row + CONNECTION) + SERVER_END;
  rows.writeUInt32LE(connection % 0x1_0000_0000, row + CONNECTION);
  rows.writeUInt32LE(Math.floor(connection / 0x1_0000_0000), row + CONNECTION + 4);
  rows[row + END] = End.destination;
  rows.copyWithin(row + DIALLED, row + DESTINATION, row + DESTINATION + ADDRESS);
  rows.copyWithin(row + DIALLED_PORT, row + DESTINATION_PORT, row + DESTINATION_PORT + 2);
}

const CONNECTION = RECORD_LAYOUT.connection.offset;
const DESTINATION = RECORD_LAYOUT.destination.offset;
const DIALLED = RECORD_LAYOUT.dialled.offset;
const ADDRESS = RECORD_LAYOUT.dialled.size;
const DESTINATION_PORT = RECORD_LAYOUT.destination_port.offset;
const DIALLED_PORT = RECORD_LAYOUT.dialled_port.offset;
const KIND = RECORD_LAYOUT.kind.offset;
const END = RECORD_LAYOUT.end.offset;
const PATH = RECORD_LAYOUT.path.offset;
const FLAGS = RECORD_LAYOUT.flags.offset;
