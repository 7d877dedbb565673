// Hubble's FlowFilter with its semantics, shared by Hubble, the admin interface and the CLI: the fields of a filter are ANDed,
// the values of a field ORed, several filters ORed.
import { BlockList, isIP } from "node:net";
import { WeirError } from "../errors.ts";
import { dropReason, eventType, type FlowPlace, hubbleVerdict, identityNumber, labelsOf, tcpFlags } from "./facets.ts";
import type { Flow, FlowSide } from "./flow.ts";
import { compileSelector } from "./selector.ts";

export interface WorkloadFilter {
  readonly kind?: string;
  readonly name?: string;
}

/** Named as in Hubble's protocol, in its JSON form. */
export interface FlowFilter {
  readonly uuid?: readonly string[];
  readonly sourceIp?: readonly string[];
  readonly sourcePod?: readonly string[];
  readonly sourceLabel?: readonly string[];
  readonly sourceService?: readonly string[];
  readonly sourceWorkload?: readonly WorkloadFilter[];
  readonly sourceIdentity?: readonly number[];
  readonly sourcePort?: readonly string[];
  readonly sourceClusterName?: readonly string[];
  readonly destinationIp?: readonly string[];
  readonly destinationPod?: readonly string[];
  readonly destinationLabel?: readonly string[];
  readonly destinationService?: readonly string[];
  readonly destinationWorkload?: readonly WorkloadFilter[];
  readonly destinationIdentity?: readonly number[];
  readonly destinationPort?: readonly string[];
  readonly destinationClusterName?: readonly string[];
  readonly trafficDirection?: readonly string[];
  readonly verdict?: readonly string[];
  readonly dropReasonDesc?: readonly string[];
  readonly eventType?: readonly { readonly type: number; readonly matchSubType?: boolean; readonly subType?: number }[];
  readonly protocol?: readonly string[];
  readonly reply?: readonly boolean[];
  readonly tcpFlags?: readonly Readonly<Record<string, boolean>>[];
  readonly nodeName?: readonly string[];
  readonly ipVersion?: readonly string[];
  readonly encrypted?: readonly boolean[];
  /** Fields that no flow of Weir has yet (HTTP, DNS, trace ids): a filter that asks for one selects nothing. */
  readonly never?: readonly string[];
}

export type FlowPredicate = (flow: Flow) => boolean;

/** No filter selects everything; `blacklist` then takes away. Throws QUERY_INVALID for values of a wrong form. */
export function compileFilters(
  whitelist: readonly FlowFilter[],
  blacklist: readonly FlowFilter[],
  place: FlowPlace,
): FlowPredicate {
  const wanted = whitelist.map((filter) => compileFilter(filter, place));
  const unwanted = blacklist.map((filter) => compileFilter(filter, place));
  return (flow) =>
    (wanted.length === 0 || wanted.some((matches) => matches(flow))) && !unwanted.some((matches) => matches(flow));
}

type Field = keyof FlowFilter;
// biome-ignore lint/suspicious/noExplicitAny: each compiler takes the values of its own field
type FieldCompiler = (values: readonly any[], place: FlowPlace) => FlowPredicate;

function compileFilter(filter: FlowFilter, place: FlowPlace): FlowPredicate {
  const predicates: FlowPredicate[] = [];
  for (const [field, values] of Object.entries(filter) as [Field, readonly unknown[] | undefined][]) {
    if (values === undefined || values.length === 0) continue;
    const compile = fields[field];
    if (compile === undefined) throw invalid(`there is no filter "${field}"`);
    const kind = kinds[field] ?? "string";
    if (!values.every((value) => value !== null && typeof value === kind)) throw invalid(`"${field}" takes ${kind}s`);
    predicates.push(compile(values, place));
  }
  return (flow) => predicates.every((matches) => matches(flow));
}

const source = (flow: Flow) => flow.source;
const destination = (flow: Flow) => flow.destination;

const fields: Readonly<Record<Field, FieldCompiler>> = {
  uuid: (values) => (flow) => values.includes(flow.id),
  sourceIp: (values) => byAddress(values, source),
  destinationIp: (values) => byAddress(values, destination),
  sourcePod: (values) => byPod(values, source),
  destinationPod: (values) => byPod(values, destination),
  sourceLabel: (values, place) => byLabel(values, place, source),
  destinationLabel: (values, place) => byLabel(values, place, destination),
  sourceService: (values) => byName(values, () => undefined),
  destinationService: (values) => byName(values, (flow) => flow.service),
  sourceWorkload: (values) => byWorkload(values, source),
  destinationWorkload: (values) => byWorkload(values, destination),
  sourceIdentity: (values, place) => (flow) => values.includes(identityNumber(flow.source, place)),
  destinationIdentity: (values, place) => (flow) => values.includes(identityNumber(flow.destination, place)),
  sourcePort: (values) => byPort(values, source),
  destinationPort: (values) => byPort(values, destination),
  sourceClusterName: (values, place) => byCluster(values, place, source),
  destinationClusterName: (values, place) => byCluster(values, place, destination),
  trafficDirection: (values) => (flow) => values.includes(flow.end === "source" ? "EGRESS" : "INGRESS"),
  verdict: (values) => (flow) => values.includes(hubbleVerdict(flow)),
  dropReasonDesc: (values) => (flow) => values.includes(dropReason(flow)?.name),
  eventType: (values) => (flow) => {
    const event = eventType(flow);
    return values.some(
      (value) => value.type === event.type && (!value.matchSubType || (value.subType ?? 0) === event.sub_type),
    );
  },
  protocol: byProtocol,
  reply: (values) => () => values.includes(false), // a record tells of a connection, always in the client's direction
  tcpFlags: (values) => (flow) => {
    const flags = tcpFlags(flow);
    return values.some((value) => Object.entries(value).every(([flag, set]) => !set || flags[flag] === true));
  },
  nodeName: (values, place) => {
    const patterns = values.map((value: string) => glob(value.includes("/") ? value : `${place.cluster}/${value}`));
    return (flow) => patterns.some((pattern) => pattern.test(`${place.cluster}/${flow.node}`));
  },
  ipVersion: (values) => (flow) => values.includes(isIP(flow.source.address) === 6 ? "IPv6" : "IPv4"),
  encrypted: (values) => () => values.includes(false),
  never: () => () => false,
};

/** Of the values of a field, where they are no text. */
const kinds: Readonly<Partial<Record<Field, "number" | "boolean" | "object">>> = {
  sourceIdentity: "number",
  destinationIdentity: "number",
  reply: "boolean",
  encrypted: "boolean",
  sourceWorkload: "object",
  destinationWorkload: "object",
  eventType: "object",
  tcpFlags: "object",
};

function byAddress(values: readonly string[], side: (flow: Flow) => FlowSide): FlowPredicate {
  const blocks = new BlockList();
  for (const value of values) {
    const [address = "", bits] = value.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    const width = family === "ipv6" ? 128 : 32;
    const prefix = bits === undefined ? width : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
    if (isIP(address) === 0 || prefix < 0 || prefix > width)
      throw invalid(`"${value}" is neither an IP address nor a CIDR range`);
    blocks.addSubnet(address, prefix, family);
  }
  return (flow) => blocks.check(side(flow).address, isIP(side(flow).address) === 6 ? "ipv6" : "ipv4");
}

const byPod = (values: readonly string[], side: (flow: Flow) => FlowSide): FlowPredicate =>
  byName(values, (flow) => {
    const { namespace, pod } = side(flow);
    return namespace === undefined ? undefined : { namespace, name: pod ?? "" };
  });

/** `ns/prefix`; `ns/` is the whole namespace, `/prefix` any namespace, a bare prefix namespace "default". */
function byName(
  values: readonly string[],
  named: (flow: Flow) => { readonly namespace: string; readonly name: string } | undefined,
): FlowPredicate {
  const wanted = values.map((value) => {
    if (value === "") throw invalid("a name to filter by is empty");
    const slash = value.indexOf("/");
    return slash < 0
      ? { namespace: "default", prefix: value }
      : { namespace: value.slice(0, slash), prefix: value.slice(slash + 1) };
  });
  return (flow) => {
    const it = named(flow);
    if (it === undefined) return false;
    return wanted.some(
      ({ namespace, prefix }) => (namespace === "" || namespace === it.namespace) && it.name.startsWith(prefix),
    );
  };
}

function byLabel(values: readonly string[], place: FlowPlace, side: (flow: Flow) => FlowSide): FlowPredicate {
  const selectors = values.map(compileSelector);
  return (flow) => {
    const labels = labelsOf(side(flow), place);
    return selectors.some((matches) => matches(labels));
  };
}

const byWorkload = (values: readonly WorkloadFilter[], side: (flow: Flow) => FlowSide): FlowPredicate => {
  return (flow) => {
    const workload = side(flow).workload;
    if (workload === undefined) return false;
    return values.some(({ kind, name }) => (!kind || kind === workload.kind) && (!name || name === workload.name));
  };
};

function byPort(values: readonly string[], side: (flow: Flow) => FlowSide): FlowPredicate {
  const ports = new Set(
    values.map((value) => {
      const port = /^\d{1,5}$/.test(value) ? Number(value) : 65_536;
      if (port > 65_535) throw invalid(`"${value}" is not a port`);
      return port;
    }),
  );
  return (flow) => ports.has(side(flow).port);
}

function byCluster(values: readonly string[], place: FlowPlace, side: (flow: Flow) => FlowSide): FlowPredicate {
  const matches = values.some((value) => glob(value).test(place.cluster));
  return (flow) => matches && side(flow).namespace !== undefined;
}

function byProtocol(values: readonly string[]): FlowPredicate {
  const names = values.map((value) => value.toLowerCase());
  const unknown = names.find((name) => !protocols.has(name));
  if (unknown !== undefined) throw invalid(`there is no protocol "${unknown}"`);
  return () => names.includes("tcp");
}

const glob = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^/]*")}$`);

const protocols: ReadonlySet<string> = new Set("tcp udp icmp icmpv4 icmpv6 sctp vrrp igmp dns http kafka".split(" "));

const invalid = (why: string): WeirError => new WeirError("QUERY_INVALID", { why });
