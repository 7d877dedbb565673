// The question behind `weir why`: a connection that was, or one that could be, put to the evaluator.
import { WeirError } from "../errors.ts";
import type { Flow } from "../flows/flow.ts";
import { sequenceOf } from "../flows/flow.ts";
import { findFlow } from "../flows/query.ts";
import { formatAddress, parseAddress } from "../mesh/address.ts";
import type { Workload } from "../mesh/workload.ts";
import type { Explanation } from "../policy/explain.ts";
import type { Connection } from "../policy/questions.ts";
import type { AdminSources } from "./sources.ts";
import { hostPort } from "./views.ts";

export interface WhyAnswer {
  readonly from: string;
  readonly to: string;
  /** Whether the client's identity is proved, and if not, why not. */
  readonly identity: string;
  readonly explanation: Explanation;
  /** The flow asked about; its verdict was given when it was made, the explanation is of now. */
  readonly flow?: Flow;
}

/** `from` is NAMESPACE/POD or an address, `to` NAMESPACE/POD:PORT or ADDRESS:PORT, of a pod or a Service. */
export function whyHypothetical(sources: AdminSources, from: string, to: string): WhyAnswer {
  const client = partyOf(sources, from);
  const { server, port, service } = serverOf(sources, to);
  const proved = isProved(client.workload) && !judgedElsewhere(server.workload);
  const connection: Connection = {
    sourceWorkload: proved ? client.workload!.id : 0,
    source: client.address,
    destinationWorkload: server.workload?.id ?? 0,
    destination: sameFamily(server, client.address),
    port,
  };
  return {
    from: nameOf(client),
    to: `${nameOf(server)}:${port}${service === undefined ? "" : ` (an endpoint of Service ${service})`}`,
    identity: identityOf(client.workload, proved, server.workload),
    explanation: sources.explain(connection),
  };
}

/** Throws NOT_FOUND for a flow that is not kept (any more). */
export function whyFlow(sources: AdminSources, id: string): WhyAnswer {
  const flow = flowById(sources, id);
  const { names } = sources.flows;
  const source = parseAddress(flow.source.address)!;
  const destination = parseAddress(flow.destination.address)!;
  const client = names.workloadAt(source);
  const server = names.workloadAt(destination);
  const proved = flow.source.identity !== undefined && !judgedElsewhere(server);
  const connection: Connection = {
    sourceWorkload: proved ? (client?.id ?? 0) : 0,
    source,
    destinationWorkload: server?.id ?? 0,
    destination,
    port: flow.destination.port,
  };
  return {
    from: sideName(flow.source),
    to: `${sideName(flow.destination)}:${flow.destination.port}`,
    identity: identityOf(client, proved, server),
    explanation: sources.explain(connection),
    flow,
  };
}

/** Throws NOT_FOUND for a flow that is not kept (any more). */
export function flowById(sources: AdminSources, id: string): Flow {
  const sequence = sequenceOf(id, sources.flows.node);
  const flow = sequence === undefined ? undefined : findFlow(sources.flows, sequence);
  if (flow === undefined) throw new WeirError("NOT_FOUND", { what: `flow ${id} in the memory of this agent` });
  return flow;
}

const isProved = (client: Workload | undefined): boolean => client?.local === true && client.captured;

// Policy is enforced where the destination runs, and no identity reaches another node yet.
const judgedElsewhere = (server: Workload | undefined): boolean => server?.captured === true && !server.local;

interface Party {
  readonly workload: Workload | undefined;
  readonly address: Uint8Array;
}

function partyOf(sources: AdminSources, text: string): Party {
  const address = parseAddress(text.replace(/^\[(.*)\]$/, "$1"));
  if (address !== undefined) return { workload: sources.flows.names.workloadAt(address), address };
  const [namespace, name] = text.split("/");
  if (!namespace || !name) throw invalid(`"${text}" is neither NAMESPACE/POD nor an address`);
  const workload = sources.workloads().find((one) => one.namespace === namespace && one.name === name);
  if (workload === undefined) throw new WeirError("NOT_FOUND", { what: `pod ${namespace}/${name}` });
  const own = workload.addresses[0];
  if (own === undefined) throw invalid(`pod ${namespace}/${name} has no address yet`);
  return { workload, address: own };
}

interface Server {
  readonly server: Party;
  readonly port: number;
  /** NAMESPACE/NAME, when its address was asked about. */
  readonly service?: string;
}

/** What is dialled: a pod, an address, or the address of a Service, which stands for its first endpoint. */
function serverOf(sources: AdminSources, to: string): Server {
  const { host, port } = splitPort(to);
  const server = partyOf(sources, host);
  const dialled = formatAddress(server.address);
  const service = sources.services().find(({ addresses }) => addresses.some((one) => formatAddress(one) === dialled));
  if (service === undefined) return { server, port };
  const name = `${service.namespace}/${service.name}`;
  const found = service.ports.find((one) => one.port === port);
  if (found === undefined) throw new WeirError("NOT_FOUND", { what: `port ${port} of Service ${name}` });
  const family = isIPv4(server.address);
  const endpoint = found.endpoints.find(({ address }) => isIPv4(address) === family) ?? found.endpoints[0];
  if (endpoint === undefined) throw new WeirError("NOT_FOUND", { what: `ready endpoint of Service ${name}` });
  const { address } = endpoint;
  const workload = sources.flows.names.workloadAt(address);
  return { server: { workload, address }, port: endpoint.port, service: name };
}

function splitPort(to: string): { host: string; port: number } {
  const colon = to.lastIndexOf(":");
  const port = colon < 0 ? Number.NaN : Number(to.slice(colon + 1));
  if (!(Number.isInteger(port) && port >= 1 && port <= 65_535))
    throw invalid(`"${to}" has no port; expected NAMESPACE/POD:PORT`);
  return { host: to.slice(0, colon), port };
}

// A pod with both families is asked about in the family its client has.
function sameFamily(server: Party, client: Uint8Array): Uint8Array {
  const mapped = isIPv4(client);
  return server.workload?.addresses.find((address) => isIPv4(address) === mapped) ?? server.address;
}

const isIPv4 = (address: Uint8Array): boolean => !formatAddress(address).includes(":");

function identityOf(client: Workload | undefined, proved: boolean, server: Workload | undefined): string {
  if (proved) return "proved by the kernel of this node";
  if (isProved(client) && server !== undefined && judgedElsewhere(server))
    return `not proved at the destination: it runs on node ${server.node}, and nothing crosses nodes encrypted yet`;
  if (client === undefined) return "none: the client is not in the mesh";
  if (!client.local)
    return `not proved: the client runs on node ${client.node}, and nothing crosses nodes encrypted yet`;
  return `not proved: ${client.notCaptured ?? "the client is not captured"}`;
}

const nameOf = ({ workload, address }: Party): string =>
  workload === undefined ? formatAddress(address) : `${workload.namespace}/${workload.name}`;

const sideName = (side: Flow["source"]): string =>
  side.pod === undefined ? hostPort(side.address, side.port) : `${side.namespace}/${side.pod}`;

const invalid = (why: string): WeirError => new WeirError("QUERY_INVALID", { why });
