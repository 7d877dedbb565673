// Typed facade of the Rust addon: the node proxy and the policy evaluator. The only file that loads proxy.node.
import { createRequire } from "node:module";
import type { MapDescriptors } from "./datapath.ts";

export interface ProxyOptions {
  /** Worker threads of the proxy. */
  readonly threads: number;
  /** Descriptors of the pinned maps. Absent: an evaluator only, as tests and `weir why` use it. */
  readonly maps?: MapDescriptors;
}

export interface ProxyPod {
  readonly workload: number;
  readonly netns: string;
  readonly slot: number;
  readonly ipv6: boolean;
}

export interface ProxyStats {
  readonly connections: number;
  readonly connectionsTotal: number;
  readonly refusedTotal: number; // at a pod's connection limit
  readonly dialFailuresTotal: number;
  readonly revokedTotal: number; // ended by a policy change
  readonly bytesTotal: number;
  readonly recordsLostTotal: number;
  readonly verdictWritesTotal: number;
  readonly verdictWriteFailuresTotal: number;
  readonly descriptors: number;
  readonly descriptorLimit: number;
  readonly snapshotVersion: bigint;
  /** Bytes allocated by Rust. */
  readonly allocatedBytes: number;
}

export interface NodeProxy {
  /** Applies weir.snapshot.Delta; readers never wait. Live connections no longer allowed are reset before it resolves. */
  apply(delta: Uint8Array): Promise<void>;
  /** Opens the listeners inside a captured pod's namespace and puts them into its slots. */
  capture(pod: ProxyPod): void;
  /** Closes a pod's listeners; its connections go on unless `reset`. */
  release(workload: number, reset: boolean): void;
  /** weir.authorization.Questions -> Answers. Pure: nothing is cached or counted. */
  authorize(questions: Uint8Array): Uint8Array;
  /** Starts delivery of record batches: whole struct record rows. `lost` counts records dropped since the last call. */
  onRecords(deliver: (batch: Uint8Array, lost: number) => void): void;
  stats(): ProxyStats;
  /** Stops accepting, waits for connections until the deadline, resets the rest. Answers how many were reset. */
  drain(deadlineMs: number): Promise<number>;
  close(): void;
}

interface Addon {
  Proxy: new (options: ProxyOptions) => NodeProxy;
}

const addon: Addon = createRequire(import.meta.url)("../../build/proxy.node");

/** Starts the node proxy on threads of its own. */
export const startProxy = (options: ProxyOptions): NodeProxy => new addon.Proxy(options);
