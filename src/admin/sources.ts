// What the admin interface shows, as the agent gives it. src/agent.ts implements it.
import type { FlowPlace } from "../flows/facets.ts";
import type { FlowReaderSources } from "../flows/query.ts";
import type { Service } from "../mesh/service.ts";
import type { Workload } from "../mesh/workload.ts";
import type { Explanation } from "../policy/explain.ts";
import type { Policy } from "../policy/policy.ts";
import type { Connection } from "../policy/questions.ts";

export interface AdminSources {
  /** Flows: the ring, names for its ids, and the node they are from. */
  readonly flows: FlowReaderSources;
  readonly place: FlowPlace;
  status(): AgentStatus;
  /** Every workload the mesh knows, of all nodes. */
  workloads(): readonly Workload[];
  services(): readonly Service[];
  policies(): readonly Policy[];
  /** Asks the evaluator; nothing is cached or counted. */
  explain(connection: Connection): Explanation;
}

/** What the metrics listener answers with. */
export interface ScrapeSources {
  /** Prometheus text. */
  metrics(): string;
  /** Undefined when the agent can do its work; else what is missing, a sentence. */
  notReady(): string | undefined;
}

/** One thing that is wrong, in the words of errors.ts. */
export interface Problem {
  readonly code: string;
  /** File and line, or the part of Weir it concerns. */
  readonly where: string;
  readonly message: string;
  readonly next: string;
}

export interface AgentStatus {
  readonly node: string;
  readonly version: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly ready: boolean;
  /** What `weir status` lists: stale or broken configuration, unguarded pods, limits that near. */
  readonly problems: readonly Problem[];
  readonly config: {
    readonly source: string;
    readonly version: number;
    /** Seconds since it was put in force. */
    readonly ageSeconds: number;
    readonly workloads: number;
    readonly services: number;
    readonly policies: number;
  };
  readonly kernel: {
    /** State of an earlier agent was taken over. */
    readonly adopted: boolean;
    readonly podsCaptured: number;
    readonly driftRepaired: number;
    readonly tables: readonly { readonly name: string; readonly rows: number; readonly capacity: number }[];
  };
  readonly proxy: {
    readonly connections: number;
    readonly descriptors: number;
    readonly descriptorLimit: number;
    readonly snapshotVersion: number;
  };
  readonly flows: {
    readonly seen: number;
    readonly stored: number;
    readonly capacity: number;
    /** Records lost before they were taken in, by who lost them. */
    readonly lost: Readonly<Record<string, number>>;
  };
  /** Bytes. */
  readonly memory: { readonly resident: number; readonly heap: number; readonly proxy: number };
  readonly addresses: { readonly admin: string; readonly hubble: string; readonly metrics: string };
}
