// A Service and what stands behind it become a Service of the mesh. Pure.
import type { EndpointSlice } from "../kube/endpoint-slice.ts";
import type { Pod } from "../kube/pod.ts";
import { selects } from "../kube/selector.ts";
import type { ServiceObject, ServiceSpecPort } from "../kube/service.ts";
import { isMapped, parseAddress } from "./address.ts";
import type { Endpoint, Service, ServicePort } from "./service.ts";

export interface ServiceInput {
  readonly id: number;
  readonly service: ServiceObject;
  /** Its EndpointSlices. If there is any, they say everything. */
  readonly slices: readonly EndpointSlice[];
  /** Pods of its namespace. */
  readonly pods: Iterable<Pod>;
}

export function buildService({ id, service, slices, pods }: ServiceInput): Service {
  const { namespace, name } = service.metadata;
  const selected = slices.length > 0 ? [] : selectedPods(service, pods);
  const endpointsOf = (port: ServiceSpecPort) =>
    slices.length > 0 ? endpointsOfSlices(service, slices, port) : endpointsOfPods(selected, port);
  return {
    id,
    namespace,
    name,
    addresses: service.clusterAddresses.map(parseAddress).filter((address) => address !== undefined),
    ports: service.ports.map((port) => ({ name: port.name, port: port.port, endpoints: inOrder(endpointsOf(port)) })),
    affinitySeconds: service.affinitySeconds,
  };
}

/** The endpoints that a cluster address leads to: those of its family. */
export function endpointsFor(port: ServicePort, clusterAddress: Uint8Array): Endpoint[] {
  const family = isMapped(clusterAddress);
  return port.endpoints.filter((endpoint) => isMapped(endpoint.address) === family);
}

/** Whether a change of this pod can change the endpoints of this Service. */
export function mayServe(service: ServiceObject, pod: Pod): boolean {
  return Object.keys(service.selector).length > 0 && selects(service.selector, pod.metadata.labels);
}

function selectedPods(service: ServiceObject, pods: Iterable<Pod>): Pod[] {
  const selected: Pod[] = [];
  for (const pod of pods) {
    if (pod.terminal || !mayServe(service, pod)) continue;
    const ready = pod.ready && pod.metadata.deleted === undefined;
    if (ready || service.publishNotReady) selected.push(pod);
  }
  return selected;
}

function endpointsOfPods(pods: readonly Pod[], port: ServiceSpecPort): TextEndpoint[] {
  return pods.flatMap((pod) => {
    const number = typeof port.targetPort === "number" ? port.targetPort : containerPort(pod, port.targetPort);
    return number === undefined ? [] : pod.addresses.map((address) => ({ address, port: number }));
  });
}

const containerPort = (pod: Pod, name: string) => pod.ports.find((port) => port.name === name)?.port;

function endpointsOfSlices(
  service: ServiceObject,
  slices: readonly EndpointSlice[],
  port: ServiceSpecPort,
): TextEndpoint[] {
  return slices.flatMap((slice) => {
    const number = slice.ports.find(({ name }) => name === port.name)?.port;
    if (number === undefined) return [];
    return slice.endpoints
      .filter((endpoint) => endpoint.ready || service.publishNotReady)
      .map(({ address }) => ({ address, port: number }));
  });
}

interface TextEndpoint {
  readonly address: string;
  readonly port: number;
}

/** Sorted by address and port, each once: slices may overlap while Kubernetes moves endpoints between them. */
function inOrder(endpoints: readonly TextEndpoint[]): Endpoint[] {
  const sorted = endpoints
    .map(({ address, port }) => ({ address: Buffer.from(parseAddress(address) ?? new Uint8Array(16)), port }))
    .sort((left, right) => left.address.compare(right.address) || left.port - right.port)
    .filter(({ address, port }, index, all) => {
      const before = all[index - 1];
      return before === undefined || before.port !== port || !before.address.equals(address);
    });
  return sorted.map(({ address, port }) => ({ address: new Uint8Array(address), port }));
}
