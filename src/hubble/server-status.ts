// What Hubble clients ask about the server itself.
import type { ObserverSources } from "./observer.ts";

const MINUTE_US = 60_000_000;
const HOUR_US = 60 * MINUTE_US;

/** `observer.ServerStatusResponse` */
export function serverStatus(options: ObserverSources): object {
  return {
    ...figures(options),
    num_connected_nodes: { value: 1 },
    num_unavailable_nodes: { value: 0 },
    version: options.version,
    flows_rate: flowsRate(options),
  };
}

/** This node: agents know no others. */
export function nodes(options: ObserverSources): object[] {
  const { place, sources, version, address } = options;
  return [
    {
      name: `${place.cluster}/${sources.node}`,
      version,
      address,
      state: "NODE_CONNECTED",
      tls: { enabled: false },
      ...figures(options),
    },
  ];
}

/** Namespaces with a record in the last hour, sorted. */
export function namespacesSeen({ sources: { ring, names }, place }: ObserverSources): object[] {
  const ids = ring.workloadsSince(ring.nowUs() - HOUR_US);
  const namespaces = new Set(ids.map((id) => names.workload(id)?.namespace).filter((name) => name !== undefined));
  return [...namespaces].sort().map((namespace) => ({ cluster: place.cluster, namespace }));
}

const figures = ({ sources: { ring }, startedAt }: ObserverSources) => ({
  num_flows: ring.stored,
  max_flows: ring.capacity,
  seen_flows: ring.seen,
  uptime_ns: Math.max(0, Date.now() - startedAt) * 1_000_000,
});

// A second, over the last minute or what is kept of it.
function flowsRate({ sources: { ring }, startedAt }: ObserverSources): number {
  const now = ring.nowUs();
  const from = Math.max(now - MINUTE_US, startedAt * 1000);
  const cursor = ring.newest();
  let rows = 0;
  let oldest = from;
  for (let row = cursor.previous(); row !== undefined && row.timeUs >= from; row = cursor.previous()) {
    rows++;
    oldest = row.timeUs;
  }
  const complete = rows < ring.stored;
  return rows / Math.max(1, (now - (complete ? from : oldest)) / 1_000_000);
}
