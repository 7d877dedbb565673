// weir_* series: how Weir itself is doing, read from its parts when somebody asks.
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { LiveConnections } from "../flows/live.ts";
import type { FlowRing } from "../flows/ring.ts";
import type { Datapath } from "../native/datapath.ts";
import type { ProxyStats } from "../native/proxy.ts";
import { type InternalSeries, internalCatalogue } from "./catalogue.ts";
import { header, labelText, sample } from "./exposition.ts";
import { kernelEvents } from "./kernel-events.ts";
import type { TrafficMetrics } from "./traffic.ts";

/** The state of the agent that its parts cannot tell by themselves. */
export interface AgentFigures {
  readonly configVersion: number;
  /** Seconds since the configuration in force was put in force. */
  readonly configAgeSeconds: number;
  readonly configProblems: number;
  readonly podsCaptured: number;
  readonly driftRepaired: number;
}

export interface InternalSources {
  readonly node: string;
  readonly version: string;
  readonly ring: FlowRing;
  readonly live: LiveConnections;
  readonly traffic: TrafficMetrics;
  readonly datapath: Pick<Datapath, "counters" | "tables">;
  proxy(): ProxyStats;
  agent(): AgentFigures;
}

type DelayHistogram = ReturnType<typeof monitorEventLoopDelay>;
type Reading = readonly [labelValues: readonly string[], value: number];

export class InternalMetrics {
  readonly #sources: InternalSources;
  readonly #delay: DelayHistogram;

  constructor(sources: InternalSources) {
    this.#sources = sources;
    this.#delay = monitorEventLoopDelay({ resolution: 20 });
    this.#delay.enable();
  }

  /** Prometheus text. */
  render(): string {
    const readings = read(this.#sources, this.#delay);
    this.#delay.reset();
    return (Object.keys(internalCatalogue) as InternalSeries[])
      .map((name) => {
        const series = internalCatalogue[name];
        const lines = readings[name].map(([values, value]) => sample(name, labelText(series.labels, values), value));
        return header(name, series) + lines.join("");
      })
      .join("");
  }

  close(): void {
    this.#delay.disable();
  }
}

function read(sources: InternalSources, delay: DelayHistogram): Record<InternalSeries, Reading[]> {
  return {
    ...readAgent(sources, delay),
    ...readKernel(sources.datapath),
    ...readProxy(sources.proxy()),
    ...readFlows(sources),
  };
}

function readAgent({ agent, node, version }: InternalSources, delay: DelayHistogram) {
  const figures = agent();
  const seconds = (nanoseconds: number) => (Number.isFinite(nanoseconds) ? nanoseconds / 1e9 : 0);
  const quantile = (percent: number): Reading => [[String(percent / 100)], seconds(delay.percentile(percent))];
  return {
    weir_build_info: [[[version, node], 1] as Reading],
    weir_config_version: one(figures.configVersion),
    weir_config_age_seconds: one(figures.configAgeSeconds),
    weir_config_problems: one(figures.configProblems),
    weir_pods_captured: one(figures.podsCaptured),
    weir_drift_repaired_total: one(figures.driftRepaired),
    weir_event_loop_delay_seconds: [quantile(50), quantile(99), [["1"], seconds(delay.max)] as Reading],
    weir_process_resident_bytes: one(process.memoryUsage.rss()),
    weir_node_heap_bytes: one(process.memoryUsage().heapUsed),
  };
}

function readKernel(datapath: InternalSources["datapath"]) {
  const counters = datapath.counters();
  const tables = datapath.tables();
  return {
    weir_kernel_events_total: kernelEvents.map((event, index): Reading => [[event], Number(counters[index] ?? 0n)]),
    weir_kernel_table_rows: tables.map(({ name, rows }): Reading => [[name], rows]),
    weir_kernel_table_capacity: tables.map(({ name, capacity }): Reading => [[name], capacity]),
  };
}

function readProxy(stats: ProxyStats) {
  return {
    weir_proxy_connections: one(stats.connections),
    weir_proxy_connections_total: one(stats.connectionsTotal),
    weir_proxy_refused_total: one(stats.refusedTotal),
    weir_proxy_dial_failures_total: one(stats.dialFailuresTotal),
    weir_proxy_revoked_total: one(stats.revokedTotal),
    weir_proxy_bytes_total: one(stats.bytesTotal),
    weir_proxy_verdict_writes_total: one(stats.verdictWritesTotal),
    weir_proxy_verdict_write_failures_total: one(stats.verdictWriteFailuresTotal),
    weir_proxy_descriptors: one(stats.descriptors),
    weir_proxy_descriptor_limit: one(stats.descriptorLimit),
    weir_proxy_snapshot_version: one(Number(stats.snapshotVersion)),
    weir_proxy_allocated_bytes: one(stats.allocatedBytes),
  };
}

function readFlows({ ring, live, traffic }: InternalSources) {
  const lost = ring.lost();
  return {
    weir_flow_rows_total: one(ring.seen),
    weir_flow_rows_lost_total: Object.entries(lost).map(([source, count]): Reading => [[source], count]),
    weir_flow_ring_rows: [
      [["allowed"], ring.stored - ring.storedDenied] as Reading,
      [["denied"], ring.storedDenied] as Reading,
    ],
    weir_flow_ring_capacity: one(ring.capacity),
    weir_live_connections: one(live.size),
    weir_live_connections_overflowed_total: one(live.overflowed),
    weir_live_closes_lost_total: one(live.closesLost),
    weir_traffic_label_sets: one(traffic.labelSets),
    weir_traffic_overflowed_total: one(traffic.overflowed),
    weir_traffic_updates_skipped_total: one(traffic.skipped),
  };
}

const one = (value: number): Reading[] => [[[], value]];
