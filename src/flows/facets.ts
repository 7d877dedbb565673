// What Hubble's vocabulary says of a flow: identity numbers, labels, event types, verdicts, TCP flags. Filters and the Hubble
// server share it, so that what a filter selects is what the server shows.
import { createHash } from "node:crypto";
import type { Flow, FlowSide } from "./flow.ts";

/** Facts about the place this agent runs in. */
export interface FlowPlace {
  readonly cluster: string;
  /** Addresses of the node itself, as text. */
  readonly hostAddresses: ReadonlySet<string>;
}

export const EventType = { drop: 1, trace: 4, policyVerdict: 5 } as const;
export const TracePoint = { toEndpoint: 0, toProxy: 1, toStack: 3 } as const;

export type HubbleVerdict = "FORWARDED" | "DROPPED" | "AUDIT";

/** What a dry-run policy would deny is AUDIT, as in Cilium's audit mode; it counts once, when the connection opens. */
export function hubbleVerdict(flow: Flow): HubbleVerdict {
  if (flow.verdict === "denied") return "DROPPED";
  return isAudited(flow) ? "AUDIT" : "FORWARDED";
}

/** Numbers of Cilium's message types, by which `hubble observe` prints a flow's type. */
export function eventType(flow: Flow): { readonly type: number; readonly sub_type: number } {
  if (flow.verdict === "denied" && !isPolicyReason(flow.reason.code))
    return { type: EventType.drop, sub_type: dropReason(flow)?.number ?? 0 };
  if (flow.verdict === "denied" || isAudited(flow)) return { type: EventType.policyVerdict, sub_type: 0 };
  return { type: EventType.trace, sub_type: tracePoint(flow) };
}

export function tracePoint(flow: Flow): number {
  if (flow.end === "destination") return TracePoint.toEndpoint;
  return flow.path === "proxied" ? TracePoint.toProxy : TracePoint.toStack;
}

/** Cilium's name and number for why a flow was dropped; undefined when it was not. */
export function dropReason(flow: Flow): { readonly name: string; readonly number: number } | undefined {
  if (flow.verdict !== "denied") return undefined;
  return dropReasons[flow.reason.code] ?? { name: "POLICY_DENIED", number: 133 };
}

/** TCP flags of the packet that a record stands for. */
export function tcpFlags(flow: Flow): Readonly<Record<string, boolean>> {
  if (flow.kind === "update") return { ACK: true, PSH: true };
  if (flow.kind !== "close") return { SYN: true };
  return flow.reset || flow.failed ? { RST: true } : { FIN: true, ACK: true };
}

/** `k8s:` labels of a pod with those Cilium derives, or what is known of an address that is no pod. */
export function labelsOf(side: FlowSide, place: FlowPlace): readonly string[] {
  if (side.namespace === undefined) return [place.hostAddresses.has(side.address) ? "reserved:host" : "reserved:world"];
  const own = Object.entries(side.labels ?? {}).map(([key, value]) => `k8s:${key}=${value}`);
  return [
    ...own,
    `k8s:io.cilium.k8s.policy.cluster=${place.cluster}`,
    `k8s:io.cilium.k8s.policy.serviceaccount=${side.serviceAccount ?? "default"}`,
    `k8s:io.kubernetes.pod.namespace=${side.namespace}`,
  ].sort();
}

/** One number for all pods with the same namespace, service account and labels, the same on every node. */
export function identityNumber(side: FlowSide, place: FlowPlace): number {
  if (side.namespace === undefined) return place.hostAddresses.has(side.address) ? HOST : WORLD;
  const labels = Object.entries(side.labels ?? {}).filter(([key]) => !perPodLabels.has(key));
  const key = JSON.stringify([side.namespace, side.serviceAccount, labels.sort()]);
  const known = identityNumbers.get(key);
  if (known !== undefined) return known;
  const hash = createHash("sha256").update(key).digest().readUInt32LE(0);
  const number = FIRST_WORKLOAD_IDENTITY + (hash % (LAST_WORKLOAD_IDENTITY - FIRST_WORKLOAD_IDENTITY + 1));
  if (identityNumbers.size >= REMEMBERED_IDENTITIES) identityNumbers.clear();
  identityNumbers.set(key, number);
  return number;
}

const isAudited = (flow: Flow): boolean => flow.kind === "open" && flow.dryRun?.verdict === "denied";

const isPolicyReason = (code: string): boolean => policyReasons.has(code);

const policyReasons: ReadonlySet<string> = new Set(["DENY_RULE", "NO_ALLOW_MATCH", "CUSTOM", "REVOKED"]);

const dropReasons: Readonly<Record<string, { readonly name: string; readonly number: number }>> = {
  DENY_RULE: { name: "POLICY_DENY", number: 181 },
  NO_ENDPOINTS: { name: "SERVICE_BACKEND_NOT_FOUND", number: 158 },
  NO_SUCH_PORT: { name: "SERVICE_BACKEND_NOT_FOUND", number: 158 },
  PROXY_UNAVAILABLE: { name: "DROP_PUNT_PROXY", number: 205 },
  SUBFLOW: { name: "DROP_PUNT_PROXY", number: 205 },
  CONNECTION_LIMIT: { name: "DROP_RATE_LIMITED", number: 198 },
  DIAL_FAILED: { name: "STALE_OR_UNROUTABLE_IP", number: 151 },
  TABLE_FULL: { name: "CT_MAP_INSERTION_FAILED", number: 155 },
};

const HOST = 1;
const WORLD = 2;
const FIRST_WORKLOAD_IDENTITY = 256;
const LAST_WORKLOAD_IDENTITY = 0xff_ffff;

// Labels that tell pods of one workload apart; Cilium leaves them out of identities too.
const perPodLabels: ReadonlySet<string> = new Set([
  "pod-template-hash",
  "controller-revision-hash",
  "pod-template-generation",
  "statefulset.kubernetes.io/pod-name",
  "apps.kubernetes.io/pod-index",
  "batch.kubernetes.io/job-completion-index",
]);

const REMEMBERED_IDENTITIES = 4_096;
const identityNumbers = new Map<string, number>();
