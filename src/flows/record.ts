// struct record of bpf/abi.h as rows in a buffer: where the fields are, cheap access to one, and a whole row as an object.
// test/kernel/abi.test.ts holds the layout against the built objects. Weir runs on little-endian machines only.

export const RECORD_SIZE = 152;

export const RECORD_LAYOUT = {
  time_ns: { offset: 0, size: 8 },
  connection: { offset: 8, size: 8 },
  duration_ns: { offset: 16, size: 8 },
  bytes_to_server: { offset: 24, size: 8 },
  bytes_to_client: { offset: 32, size: 8 },
  source: { offset: 40, size: 16 },
  destination: { offset: 56, size: 16 },
  dialled: { offset: 72, size: 16 },
  source_port: { offset: 88, size: 2 },
  destination_port: { offset: 90, size: 2 },
  dialled_port: { offset: 92, size: 2 },
  kind: { offset: 94, size: 1 },
  end: { offset: 95, size: 1 },
  path: { offset: 96, size: 1 },
  flags: { offset: 97, size: 1 },
  reserved: { offset: 98, size: 2 },
  source_workload: { offset: 100, size: 4 },
  destination_workload: { offset: 104, size: 4 },
  service: { offset: 108, size: 4 },
  rtt_us: { offset: 112, size: 4 },
  retransmits: { offset: 116, size: 4 },
  "verdict.action": { offset: 120, size: 4 },
  "verdict.reason": { offset: 124, size: 4 },
  "verdict.policy": { offset: 128, size: 4 },
  "verdict.rule": { offset: 132, size: 4 },
  "verdict.dry_run_action": { offset: 136, size: 4 },
  "verdict.dry_run_policy": { offset: 140, size: 4 },
  "verdict.dry_run_rule": { offset: 144, size: 4 },
  "verdict.generation": { offset: 148, size: 4 },
} as const satisfies Record<string, { readonly offset: number; readonly size: number }>;

export type RecordField = keyof typeof RECORD_LAYOUT;

export const Kind = { open: 1, update: 2, close: 3, deny: 4 } as const;
export const End = { source: 1, destination: 2 } as const;
export const Path = { none: 0, direct: 1, passThrough: 2, proxied: 3 } as const;
export const Action = { none: 0, allow: 1, deny: 2, proxy: 3 } as const;
export const RecordFlag = { failed: 1, cleartext: 2, reset: 4 } as const;

/** One row, its fields named as in bpf/abi.h. 64-bit numbers are exact up to 2^53. */
export interface FlowRecord {
  readonly timeNs: number;
  readonly connection: number;
  readonly durationNs: number;
  readonly bytesToServer: number;
  readonly bytesToClient: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly dialled: Uint8Array;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly dialledPort: number;
  readonly kind: number;
  readonly end: number;
  readonly path: number;
  readonly flags: number;
  readonly sourceWorkload: number;
  readonly destinationWorkload: number;
  readonly service: number;
  readonly rttUs: number;
  readonly retransmits: number;
  readonly verdict: RecordVerdict;
}

export interface RecordVerdict {
  readonly action: number;
  readonly reason: number;
  readonly policy: number;
  readonly rule: number;
  readonly dryRunAction: number;
  readonly dryRunPolicy: number;
  readonly dryRunRule: number;
  readonly generation: number;
}

const at = (field: RecordField): number => RECORD_LAYOUT[field].offset;
const KIND = at("kind");
const ACTION = at("verdict.action");

export const kindAt = (rows: Buffer, row: number): number => rows[row + KIND]!;

/** The 32-bit word at `offset` of a row; the hottest fields are read with this and an offset taken once. */
export const wordAt = (rows: Buffer, position: number): number =>
  (rows[position]! | (rows[position + 1]! << 8) | (rows[position + 2]! << 16) | (rows[position + 3]! << 24)) >>> 0;

/** The 64-bit number at `offset` of a row, exact up to 2^53. */
export const longAt = (rows: Buffer, position: number): number =>
  wordAt(rows, position) + wordAt(rows, position + 4) * 0x1_0000_0000;

/** Whether the row tells of a refused or revoked connection; such rows are kept apart. */
export const isDenied = (rows: Buffer, row: number): boolean =>
  rows[row + KIND] === Kind.deny || rows[row + ACTION] === Action.deny;

/** A whole row as an object; addresses are copies, so that it outlives the buffer. */
export function decodeRecord(rows: Buffer, row: number): FlowRecord {
  const word = (field: RecordField) => wordAt(rows, row + at(field));
  const long = (field: RecordField) => longAt(rows, row + at(field));
  const short = (field: RecordField) => rows.readUInt16LE(row + at(field));
  const byte = (field: RecordField) => rows[row + at(field)]!;
  const bytes = (field: RecordField) => new Uint8Array(rows.subarray(row + at(field), row + at(field) + 16));
  return {
    timeNs: long("time_ns"),
    connection: long("connection"),
    durationNs: long("duration_ns"),
    bytesToServer: long("bytes_to_server"),
    bytesToClient: long("bytes_to_client"),
    source: bytes("source"),
    destination: bytes("destination"),
    dialled: bytes("dialled"),
    sourcePort: short("source_port"),
    destinationPort: short("destination_port"),
    dialledPort: short("dialled_port"),
    kind: byte("kind"),
    end: byte("end"),
    path: byte("path"),
    flags: byte("flags"),
    sourceWorkload: word("source_workload"),
    destinationWorkload: word("destination_workload"),
    service: word("service"),
    rttUs: word("rtt_us"),
    retransmits: word("retransmits"),
    verdict: {
      action: word("verdict.action"),
      reason: word("verdict.reason"),
      policy: word("verdict.policy"),
      rule: word("verdict.rule"),
      dryRunAction: word("verdict.dry_run_action"),
      dryRunPolicy: word("verdict.dry_run_policy"),
      dryRunRule: word("verdict.dry_run_rule"),
      generation: word("verdict.generation"),
    },
  };
}

/** The opposite of decodeRecord: writes a row. */
export function encodeRecord(record: FlowRecord, rows: Buffer, row: number): void {
  const { verdict } = record;
  const longs = [record.timeNs, record.connection, record.durationNs, record.bytesToServer, record.bytesToClient];
  for (const [index, value] of longs.entries()) rows.writeBigUInt64LE(BigInt(value), row + index * 8);
  rows.set(record.source, row + at("source"));
  rows.set(record.destination, row + at("destination"));
  rows.set(record.dialled, row + at("dialled"));
  rows.writeUInt16LE(record.sourcePort, row + at("source_port"));
  rows.writeUInt16LE(record.destinationPort, row + at("destination_port"));
  rows.writeUInt16LE(record.dialledPort, row + at("dialled_port"));
  rows.set([record.kind, record.end, record.path, record.flags, 0, 0], row + KIND);
  const words = [record.sourceWorkload, record.destinationWorkload, record.service, record.rttUs, record.retransmits];
  words.push(verdict.action, verdict.reason, verdict.policy, verdict.rule);
  words.push(verdict.dryRunAction, verdict.dryRunPolicy, verdict.dryRunRule, verdict.generation);
  for (const [index, value] of words.entries()) rows.writeUInt32LE(value, row + at("source_workload") + index * 4);
}
