// Typed facade of the C++ addon: everything the kernel holds for this node. The only file that loads datapath.node.
import { createRequire } from "node:module";

/** 16 bytes in network order, IPv4 as ::ffff:a.b.c.d. */
export type AddressBytes = Uint8Array;

export interface DatapathOptions {
  /** Names the directory under the BPF file system: /sys/fs/bpf/weir/NODE. */
  readonly node: string;
  /** Where the BPF file system is, mounted when it is not. Default /sys/fs/bpf. */
  readonly bpffs?: string;
  /** A heartbeat older than this means the node proxy hangs. Milliseconds. */
  readonly hangMs: number;
  /** How long cached verdicts hold after the last heartbeat. Milliseconds. */
  readonly maxStaleMs: number;
  /** Half-open connections a pod may have. */
  readonly podQuota: number;
}

export interface Pod {
  readonly workload: number;
  readonly netns: string; // a path, for example /run/netns/a
  readonly ipv4?: AddressBytes;
  readonly ipv6?: AddressBytes;
  readonly slot: number;
  readonly failOpen: boolean;
}

export interface CapturedPod {
  /** Network namespace cookie. */
  readonly cookie: bigint;
  /** Host side of the pod's veth; 0 when it has none in this namespace. */
  readonly ifindex: number;
  /** Why spoofed packets of this pod cannot be dropped; absent when they can. */
  readonly originUnguarded?: string;
}

export interface WorkloadRow {
  readonly address: AddressBytes;
  readonly workload: number;
  readonly flags: number; // enum workload_flag
  readonly generation: number;
  /** For local captured workloads; 0n otherwise. */
  readonly cookie: bigint;
  readonly ifindex: number;
}

export interface ServiceRow {
  readonly address: AddressBytes;
  readonly port: number;
  readonly service: number;
  readonly affinitySeconds: number;
  readonly endpoints: readonly { readonly address: AddressBytes; readonly port: number }[];
}

/** One TCP socket of a pod's namespace, from sock_diag. */
export interface Socket {
  /** Socket cookie: the `connection` of its records. */
  readonly connection: bigint;
  readonly state: number; // TCP_ESTABLISHED = 1, SYN_SENT = 2, SYN_RECV = 3, ..., LISTEN = 10
  readonly local: AddressBytes;
  readonly localPort: number;
  readonly remote: AddressBytes;
  readonly remotePort: number;
  readonly bytesAcked: number;
  readonly bytesReceived: number;
  readonly rttUs: number;
  readonly retransmits: number;
  /** Interface the socket is bound to (SO_BINDTODEVICE): the kernel does not find it again without. Absent or 0: none. */
  readonly device?: number;
}

/** What one kernel feature Weir needs is like here. */
export interface Probe {
  readonly feature: string;
  readonly available: boolean;
  /** When missing: what that means and what to do, a sentence. When there: where it was found. */
  readonly detail: string;
}

export interface MapDescriptors {
  readonly verdicts: number;
  readonly listeners: number;
  readonly heartbeat: number;
  readonly skOrigin: number;
  readonly skExempt: number;
}

export interface Datapath {
  /** True when pinned state of an earlier agent was found and taken over. */
  readonly adopted: boolean;
  /** Why pinned state that was found could not be taken over and has been replaced, a sentence. */
  readonly notAdopted?: string;
  readonly maps: MapDescriptors;
  /** Workload ids in use were never above this before; survives restarts with the pins. */
  idHighWater(): number;
  setIdHighWater(id: number): void;
  /** Cookie of the network namespace at a path. */
  cookieOf(netns: string): bigint;
  /** Captures a pod, all or nothing: pods row, listening ports, lookup program, origin guard. Idempotent. */
  capture(pod: Pod): CapturedPod;
  /** Undoes capture; established connections stay. Also works when the namespace is gone. */
  release(cookie: bigint): void;
  /** Cookies of all pods captured now, adopted ones included. */
  captured(): bigint[];
  /** Slots those pods have, by workload. */
  slots(): { workload: number; slot: number }[];
  upsertWorkloads(rows: readonly WorkloadRow[]): void;
  removeWorkloads(addresses: readonly AddressBytes[]): void;
  /** Addresses that have a row, adopted ones included. */
  workloadAddresses(): AddressBytes[];
  upsertServices(rows: readonly ServiceRow[]): void;
  removeServices(keys: readonly { readonly address: AddressBytes; readonly port: number }[]): void;
  serviceKeys(): { address: AddressBytes; port: number }[];
  /** Sockets of a captured pod's namespace, listeners left out. */
  sockets(cookie: bigint): Socket[];
  /** Destroys sockets (SOCK_DESTROY) in a captured pod's namespace; answers how many were there. */
  destroySockets(cookie: bigint, sockets: readonly Socket[]): number;
  /** Waits until no hook runs with what was true before the call (one RCU grace period). */
  synchronize(): void;
  /** Starts delivery of record batches: whole struct record rows, in order. `lost` counts records dropped since the last call. */
  onRecords(deliver: (batch: Uint8Array, lost: number) => void): void;
  /** Counters of bpf/abi.h by enum position, summed over CPUs. */
  counters(): bigint[];
  /** Rows in use and room, by map name. */
  tables(): { name: string; rows: number; capacity: number }[];
  /** Compares what is attached with what should be, and puts it right. Answers what was found wrong, a sentence each. */
  repair(): string[];
  /** Stops the record thread and lets go; what is pinned stays in force. */
  close(): void;
}

interface Addon {
  open(options: DatapathOptions): Datapath;
  probe(): Probe[];
  uninstall(node: string, bpffs?: string): string[];
}

const addon: Addon = createRequire(import.meta.url)("../../build/datapath.node");

/** Loads, or adopts, the kernel side of this node. Throws DatapathError-shaped errors: { step, errno, message }. */
export const openDatapath = (options: DatapathOptions): Datapath => addon.open(options);

/** What this kernel can do, found by trying. Needs root. */
export const probeKernel = (): Probe[] => addon.probe();

/** Removes every pin, link and program of a node; answers what was removed. */
export const uninstallDatapath = (node: string, bpffs?: string): string[] => addon.uninstall(node, bpffs);
