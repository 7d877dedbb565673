// Labels of the Istio standard series, with Istio's words for what is unknown.
import type { Names } from "../mesh/names.ts";
import type { Service } from "../mesh/service.ts";
import { spiffeId, type Workload } from "../mesh/workload.ts";
import { trafficLabels } from "./catalogue.ts";
import { labelText } from "./exposition.ts";

export type ResponseFlags = "-" | "DENY" | "CONNECT";

export interface TrafficPlace {
  readonly cluster: string;
  /** Domain of Service names, "cluster.local". */
  readonly domain: string;
}

/** What the labels of a row depend on, as ids. */
export interface TrafficFacts {
  readonly reporter: "source" | "destination";
  readonly source: number;
  /** The source's identity is proved, not inferred from its address. */
  readonly proved: boolean;
  readonly destination: number;
  readonly service: number;
  readonly flags: ResponseFlags;
}

export function trafficLabelText(facts: TrafficFacts, names: Names, place: TrafficPlace): string {
  const destination = names.workload(facts.destination);
  return labelText(trafficLabels, [
    facts.reporter,
    ...sideValues(names.workload(facts.source), facts.proved, place),
    ...sideValues(destination, facts.reporter === "destination", place),
    ...serviceValues(names.service(facts.service), destination, place),
    "tcp",
    facts.flags,
    UNKNOWN, // nothing is encrypted yet
  ]);
}

/** For what has no room of its own: only reporter and response flags tell it apart. */
export function overflowLabels({ reporter, flags }: Pick<TrafficFacts, "reporter" | "flags">): string {
  const values: string[] = trafficLabels.map((label) => (label === "reporter" ? reporter : OVERFLOW));
  values.splice(-3, 3, "tcp", flags, UNKNOWN);
  return labelText(trafficLabels, values);
}

const UNKNOWN = "unknown";
const OVERFLOW = "overflow";

function sideValues(workload: Workload | undefined, proved: boolean, place: TrafficPlace): string[] {
  if (workload === undefined) return [UNKNOWN, UNKNOWN, UNKNOWN, "latest", UNKNOWN, "latest", UNKNOWN, UNKNOWN];
  const { labels } = workload;
  const name =
    firstOf(labels, "service.istio.io/canonical-name", "app.kubernetes.io/name", "app") ?? workload.owner.name;
  const revision =
    firstOf(labels, "service.istio.io/canonical-revision", "app.kubernetes.io/version", "version") ?? "latest";
  const principal = proved ? spiffeId(workload) : UNKNOWN;
  return [workload.owner.name, workload.namespace, name, revision, name, revision, principal, place.cluster];
}

// Istio calls an unknown place outside the mesh PassthroughCluster; Kiali draws it under that name.
function serviceValues(service: Service | undefined, destination: Workload | undefined, place: TrafficPlace): string[] {
  if (service !== undefined) {
    const host = `${service.name}.${service.namespace}.svc.${place.domain}`;
    return [host, service.name, service.namespace];
  }
  if (destination !== undefined) return [UNKNOWN, UNKNOWN, destination.namespace];
  return ["PassthroughCluster", "PassthroughCluster", UNKNOWN];
}

const firstOf = (labels: Readonly<Record<string, string>>, ...keys: string[]): string | undefined =>
  keys.map((key) => labels[key]).find((value) => value !== undefined && value !== "");
