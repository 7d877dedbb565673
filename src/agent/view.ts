// What the agent shows of itself: status, mesh, policy questions and metrics, read from its parts when somebody asks.
import { join } from "node:path";
import type { AdminSources, AgentStatus, Problem, ScrapeSources } from "../admin/sources.ts";
import type { AgentConfig } from "../config.ts";
import type { Problem as SourceProblem } from "../errors.ts";
import type { FileSource } from "../files/source.ts";
import type { FlowPlace } from "../flows/facets.ts";
import type { LiveConnections } from "../flows/live.ts";
import type { FlowReaderSources } from "../flows/query.ts";
import type { FlowRing } from "../flows/ring.ts";
import type { Service } from "../mesh/service.ts";
import type { Workload } from "../mesh/workload.ts";
import { InternalMetrics } from "../metrics/internals.ts";
import type { TrafficMetrics } from "../metrics/traffic.ts";
import type { Datapath } from "../native/datapath.ts";
import type { NodeProxy } from "../native/proxy.ts";
import { type Explanation, explain } from "../policy/explain.ts";
import type { Policy } from "../policy/policy.ts";
import { type Connection, decodeAnswers, encodeQuestions } from "../policy/questions.ts";
import type { Captures } from "../snapshot/captures.ts";
import type { ControlLoop } from "../snapshot/control-loop.ts";
import type { Desired } from "../snapshot/desired.ts";
import { packageVersion } from "../version.ts";
import type { Upkeep } from "./upkeep.ts";

export interface AgentParts {
  readonly config: AgentConfig;
  readonly datapath: Datapath;
  readonly proxy: NodeProxy;
  readonly desired: Desired;
  readonly captures: Captures;
  readonly loop: ControlLoop;
  readonly source: FileSource;
  readonly ring: FlowRing;
  readonly live: LiveConnections;
  readonly traffic: TrafficMetrics;
  readonly upkeep: Upkeep;
  /** Addresses of the node itself. */
  readonly hostAddresses: ReadonlySet<string>;
}

export class AgentView implements AdminSources, ScrapeSources {
  readonly flows: FlowReaderSources;
  readonly place: FlowPlace;
  readonly version: string = packageVersion();
  readonly #parts: AgentParts;
  readonly #internals: InternalMetrics;
  readonly #startedAt = new Date();

  constructor(parts: AgentParts) {
    const { config, ring, live, traffic, datapath, desired, hostAddresses } = parts;
    this.#parts = parts;
    this.flows = { ring, names: desired.names, node: config.node };
    this.place = { cluster: config.cluster, hostAddresses };
    this.#internals = new InternalMetrics({
      ...{ node: config.node, version: this.version, ring, live, traffic, datapath },
      proxy: () => parts.proxy.stats(),
      agent: () => ({
        ...this.#configFigures(),
        podsCaptured: parts.captures.size,
        driftRepaired: parts.upkeep.driftRepaired,
      }),
    });
  }

  status(): AgentStatus {
    const { config, datapath, proxy, desired, captures, ring, upkeep } = this.#parts;
    const { configVersion, configAgeSeconds } = this.#configFigures();
    const { workloads, services, policies } = desired.snapshot;
    const { connections, descriptors, descriptorLimit, snapshotVersion, allocatedBytes } = proxy.stats();
    const memory = process.memoryUsage();
    return {
      ...{ node: config.node, version: this.version, pid: process.pid, startedAt: this.#startedAt.toISOString() },
      ready: this.notReady() === undefined,
      problems: this.#problems(),
      config: {
        ...{ source: `file:${config.sourceDirectory}`, version: configVersion, ageSeconds: configAgeSeconds },
        ...{ workloads: workloads.size, services: services.size, policies: policies.size },
      },
      kernel: {
        ...{ adopted: datapath.adopted, podsCaptured: captures.size, driftRepaired: upkeep.driftRepaired },
        tables: datapath.tables(),
      },
      proxy: { connections, descriptors, descriptorLimit, snapshotVersion: Number(snapshotVersion) },
      flows: { seen: ring.seen, stored: ring.stored, capacity: ring.capacity, lost: ring.lost() },
      memory: { resident: memory.rss, heap: memory.heapUsed, proxy: allocatedBytes },
      addresses: {
        admin: join(config.stateDir, "admin.sock"),
        hubble: join(config.stateDir, "hubble.sock"),
        metrics: `${config.metricsAddress.host}:${config.metricsAddress.port}`,
      },
    };
  }

  /** As they are: a pod whose capture failed is not captured, whatever its labels want. */
  workloads(): readonly Workload[] {
    const { captures, desired } = this.#parts;
    const failed = new Map(captures.failures().map(({ workload, why }) => [workload.id, why]));
    return [...desired.snapshot.workloads.values()].map(({ workload }) => {
      const why = failed.get(workload.id);
      return why === undefined ? workload : { ...workload, captured: false, notCaptured: why };
    });
  }

  services(): readonly Service[] {
    return [...this.#parts.desired.snapshot.services.values()];
  }

  policies(): readonly Policy[] {
    return [...this.#parts.desired.snapshot.policies.values()].map(({ policy }) => policy);
  }

  explain(connection: Connection): Explanation {
    const answers = decodeAnswers(this.#parts.proxy.authorize(encodeQuestions([connection], true)));
    return explain(answers.answers[0]!, this.#parts.desired.names);
  }

  metrics(): string {
    return this.#parts.traffic.render() + this.#internals.render();
  }

  notReady(): string | undefined {
    const { loop } = this.#parts;
    return loop.publishedAt === 0
      ? `No configuration is in force yet: ${loop.failure ?? "it is being read"}.`
      : undefined;
  }

  close(): void {
    this.#internals.close();
  }

  #configFigures() {
    const { desired, loop } = this.#parts;
    return {
      configVersion: desired.snapshot.version,
      configAgeSeconds: loop.publishedAt === 0 ? 0 : (Date.now() - loop.publishedAt) / 1000,
      configProblems: this.#problems().length,
    };
  }

  #problems(): Problem[] {
    const { source, desired, captures, loop } = this.#parts;
    const notInForce =
      loop.failure === undefined
        ? []
        : [{ where: "the newest change", message: `it is not in force: ${loop.failure}` }];
    return [
      ...source
        .problems()
        .map((problem) => described("CONFIG", problem, "The last good content stays in force; correct the file.")),
      ...desired.problems().map((problem) => described("OBJECT", problem, "Correct the object.")),
      ...captures
        .problems()
        .map((problem) => described("CAPTURE", problem, "Capture is tried again every few seconds; see weir check.")),
      ...notInForce.map((problem) =>
        described("PUBLISH", problem, "It is tried again every second; see the agent's log."),
      ),
    ];
  }
}

const described = (code: string, { where, message }: SourceProblem, next: string): Problem => ({
  code,
  where,
  message,
  next,
});
