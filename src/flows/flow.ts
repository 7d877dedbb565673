// A row with names: what users see of a connection, in the admin interface, the CLI and Hubble.
import { formatAddress } from "../mesh/address.ts";
import type { Names } from "../mesh/names.ts";
import { spiffeId, type Workload } from "../mesh/workload.ts";
import { dryRunOf, type FlowDryRun, type FlowReason, type FlowVerdict, reasonOf, verdictOf } from "./decision.ts";
import { decodeRecord, End, type FlowRecord, Kind, Path, RecordFlag } from "./record.ts";
import type { Row } from "./store.ts";

export type FlowKind = "open" | "update" | "close" | "deny";
export type FlowPath = "none" | "direct" | "pass-through" | "proxied";

export interface FlowSide {
  readonly address: string;
  readonly port: number;
  readonly namespace?: string;
  readonly pod?: string;
  readonly workload?: { readonly kind: string; readonly name: string };
  readonly labels?: Readonly<Record<string, string>>;
  readonly serviceAccount?: string;
  readonly node?: string;
  /** SPIFFE id, only where the kernel or a certificate proved it; names without it come from the address alone. */
  readonly identity?: string;
}

export interface Flow {
  /** NODE-SEQUENCE, the sequence in base 36. */
  readonly id: string;
  readonly sequence: number;
  /** RFC 3339, of the event. */
  readonly time: string;
  readonly node: string;
  readonly kind: FlowKind;
  /** Which end of the connection this node saw. */
  readonly end: "source" | "destination";
  readonly path: FlowPath;
  readonly verdict: FlowVerdict;
  readonly reason: FlowReason;
  readonly dryRun?: FlowDryRun;
  readonly source: FlowSide;
  readonly destination: FlowSide;
  readonly service?: { readonly namespace: string; readonly name: string };
  /** What the app dialled, when that was not the destination itself. */
  readonly dialled?: { readonly address: string; readonly port: number };
  readonly connection: number;
  readonly bytesToServer: number;
  readonly bytesToClient: number;
  readonly durationMs: number;
  readonly rttUs: number;
  readonly retransmits: number;
  /** Never established. */
  readonly failed: boolean;
  /** Ended by a reset. */
  readonly reset: boolean;
  /** Crossed to another node unencrypted. */
  readonly cleartext: boolean;
}

/** Gives a row its names. */
export function decodeFlow(row: Row, node: string, names: Names): Flow {
  const record = decodeRecord(row.rows, row.offset);
  const service = names.service(record.service);
  const dryRun = dryRunOf(record.verdict, names);
  const dialled = { address: formatAddress(record.dialled), port: record.dialledPort };
  const destination = destinationOf(record, names);
  const translated = dialled.address !== destination.address || dialled.port !== destination.port;
  return {
    id: flowId(node, row.sequence),
    sequence: row.sequence,
    time: new Date(row.timeUs / 1000).toISOString(),
    node,
    kind: kinds[record.kind] ?? "update",
    end: record.end === End.destination ? "destination" : "source",
    path: paths[record.path] ?? "none",
    verdict: verdictOf(record),
    reason: reasonOf(record.verdict, names),
    ...(dryRun && { dryRun }),
    source: sourceOf(record, names),
    destination,
    ...(service && { service: { namespace: service.namespace, name: service.name } }),
    ...(translated && record.dialledPort !== 0 && { dialled }),
    ...measured(record),
  };
}

export const flowId = (node: string, sequence: number): string => `${node}-${sequence.toString(36)}`;

/** The sequence number in a flow id of this node; undefined for any other text. */
export function sequenceOf(id: string, node: string): number | undefined {
  if (!id.startsWith(`${node}-`)) return undefined;
  const text = id.slice(node.length + 1);
  return /^[0-9a-z]{1,11}$/.test(text) ? Number.parseInt(text, 36) : undefined;
}

const kinds: Readonly<Record<number, FlowKind>> = {
  [Kind.open]: "open",
  [Kind.update]: "update",
  [Kind.close]: "close",
  [Kind.deny]: "deny",
};

const paths: Readonly<Record<number, FlowPath>> = {
  [Path.none]: "none",
  [Path.direct]: "direct",
  [Path.passThrough]: "pass-through",
  [Path.proxied]: "proxied",
};

const measured = (record: FlowRecord) => ({
  connection: record.connection,
  bytesToServer: record.bytesToServer,
  bytesToClient: record.bytesToClient,
  durationMs: record.durationNs / 1_000_000,
  rttUs: record.rttUs,
  retransmits: record.retransmits,
  failed: (record.flags & RecordFlag.failed) !== 0,
  reset: (record.flags & RecordFlag.reset) !== 0,
  cleartext: (record.flags & RecordFlag.cleartext) !== 0,
});

function sourceOf(record: FlowRecord, names: Names): FlowSide {
  const proved = record.sourceWorkload !== 0;
  const workload = proved ? names.workload(record.sourceWorkload) : names.workloadAt(record.source);
  return sideOf(workload, formatAddress(record.source), record.sourcePort, proved);
}

// A destination is proved where this node delivered to it; elsewhere only its address is known.
function destinationOf(record: FlowRecord, names: Names): FlowSide {
  const id = record.destinationWorkload;
  const workload = id !== 0 ? names.workload(id) : names.workloadAt(record.destination);
  const proved = id !== 0 && (record.path === Path.direct || record.end === End.destination);
  return sideOf(workload, formatAddress(record.destination), record.destinationPort, proved);
}

function sideOf(workload: Workload | undefined, address: string, port: number, proved: boolean): FlowSide {
  if (workload === undefined) return { address, port };
  return {
    address,
    port,
    namespace: workload.namespace,
    pod: workload.name,
    workload: workload.owner,
    labels: workload.labels,
    serviceAccount: workload.serviceAccount,
    node: workload.node,
    ...(proved && { identity: spiffeId(workload) }),
  };
}
