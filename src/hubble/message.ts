// A flow as Hubble's flow.Flow, its fields named as in the protocol. One record is one Hubble flow.
import { isIP } from "node:net";
import type { FlowPolicy } from "../flows/decision.ts";
import {
  dropReason,
  EventType,
  eventType,
  type FlowPlace,
  hubbleVerdict,
  identityNumber,
  labelsOf,
  TracePoint,
  tcpFlags,
  tracePoint,
} from "../flows/facets.ts";
import type { Flow, FlowSide } from "../flows/flow.ts";
import type { FlowEvent } from "../flows/query.ts";

export interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}

/** `observer.GetFlowsResponse`: a flow, or how many are missing at its place. */
export function responseOf(event: FlowEvent, node: string, place: FlowPlace, nowUs: number): object {
  const node_name = `${place.cluster}/${node}`;
  if ("flow" in event) {
    const time = timestamp(event.timeUs);
    return { flow: flowMessage(event.flow, time, place), node_name, time };
  }
  const lost_events = { source: lostAt[event.by], num_events_lost: event.lost };
  return { lost_events, node_name, time: timestamp(nowUs) };
}

/** The same in the JSON form of the protocol, as `hubble observe -o jsonpb` prints it. */
export function responseJson(event: FlowEvent, node: string, place: FlowPlace, nowUs: number): object {
  const isMessage = (value: unknown): value is object => typeof value === "object" && value !== null;
  const plain = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(plain);
    if (!isMessage(value)) return value;
    if ("nanos" in value && "seconds" in value) return timeText(value as Timestamp);
    if ("value" in value) return value.value;
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
  };
  return plain(responseOf(event, node, place, nowUs)) as object;
}

export const timestamp = (us: number): Timestamp => {
  const seconds = Math.floor(us / 1_000_000);
  return { seconds, nanos: Math.floor(us - seconds * 1_000_000) * 1000 };
};

const lostAt = {
  kernel: "PERF_EVENT_RING_BUFFER",
  proxy: "OBSERVER_EVENTS_QUEUE",
  agent: "OBSERVER_EVENTS_QUEUE",
  ring: "HUBBLE_RING_BUFFER",
} as const;

function flowMessage(flow: Flow, time: Timestamp, place: FlowPlace): object {
  const event_type = eventType(flow);
  const drop = dropReason(flow);
  return {
    time,
    uuid: flow.id,
    verdict: hubbleVerdict(flow),
    ...(drop && { drop_reason: drop.number, drop_reason_desc: drop.name }),
    IP: {
      source: flow.source.address,
      destination: flow.destination.address,
      ipVersion: isIP(flow.source.address) === 6 ? "IPv6" : "IPv4",
    },
    l4: {
      TCP: { source_port: flow.source.port, destination_port: flow.destination.port, flags: tcpFlags(flow) },
    },
    source: endpoint(flow.source, place),
    destination: endpoint(flow.destination, place),
    Type: "L3_L4",
    node_name: `${place.cluster}/${flow.node}`,
    event_type,
    ...(flow.service && { destination_service: flow.service }),
    traffic_direction: flow.end === "source" ? "EGRESS" : "INGRESS",
    policy_match_type: event_type.type === EventType.policyVerdict ? policyMatch(flow) : 0,
    ...(event_type.type === EventType.trace && { trace_observation_point: tracePoints[tracePoint(flow)] }),
    is_reply: { value: false },
    Summary: summary(flow),
    ...policies(flow),
    policy_log: [flow.reason.text, ...(flow.dryRun ? [flow.dryRun.text] : [])],
  };
}

const tracePoints: Readonly<Record<number, string>> = {
  [TracePoint.toEndpoint]: "TO_ENDPOINT",
  [TracePoint.toProxy]: "TO_PROXY",
  [TracePoint.toStack]: "TO_STACK",
};

function endpoint(side: FlowSide, place: FlowPlace): object {
  const identity = identityNumber(side, place);
  const labels = labelsOf(side, place);
  if (side.namespace === undefined) return { identity, labels };
  return {
    identity,
    labels,
    namespace: side.namespace,
    pod_name: side.pod,
    workloads: side.workload ? [{ kind: side.workload.kind, name: side.workload.name }] : [],
    cluster_name: place.cluster,
  };
}

// Cilium's match types: 2 is "L3-L4", for a rule that matched; 0 is "none", for what no rule allows.
const policyMatch = (flow: Flow): number => (flow.reason.rule === undefined ? 0 : 2);

/** Numbers of bytes and times are for people; programs find them in Weir's own JSON. */
function summary(flow: Flow): string {
  if (flow.verdict === "denied") return flow.reason.text;
  const flags = `TCP Flags: ${Object.keys(tcpFlags(flow)).join(", ")}`;
  if (flow.kind === "open") return flow.dryRun?.verdict === "denied" ? `${flags}; ${flow.dryRun.text}` : flags;
  const moved = `${flow.bytesToServer} bytes to server, ${flow.bytesToClient} to client`;
  return `${flags}; ${flow.failed ? "never established" : moved}; ${flow.durationMs.toFixed(1)} ms`;
}

/**
 * AuthorizationPolicies guard the destination, so they are ingress policies wherever they are enforced. The client's kernel
 * enforces them too: its flows are EGRESS, and `hubble observe --print-policy-names` looks at the list of that direction.
 */
function policies(flow: Flow): object {
  const audited = flow.verdict === "allowed" && hubbleVerdict(flow) === "AUDIT";
  const policy = audited ? flow.dryRun?.policy : flow.reason.policy;
  if (policy === undefined) return {};
  const outcome = flow.verdict === "denied" || audited ? "denied" : "allowed";
  const list = [policyMessage(policy)];
  return {
    [`ingress_${outcome}_by`]: list,
    ...(flow.end === "source" && { [`egress_${outcome}_by`]: list }),
  };
}

const policyMessage = ({ namespace, name }: FlowPolicy): object => ({ name, namespace, kind: "AuthorizationPolicy" });

const timeText = ({ seconds, nanos }: Timestamp): string =>
  `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(nanos).padStart(9, "0")}Z`;
