// An EndpointSlice of discovery.k8s.io/v1: the fields the mesh needs.
import { isIP } from "node:net";
import type { Fields } from "./fields.ts";
import { type Metadata, readMetadata } from "./metadata.ts";

export interface SlicePort {
  readonly name: string;
  readonly port: number;
}

export interface SliceEndpoint {
  readonly address: string;
  /** The ready condition; true when it is not said. */
  readonly ready: boolean;
}

export interface EndpointSlice {
  readonly kind: "EndpointSlice";
  readonly metadata: Metadata;
  /** Name of the Service it belongs to; empty when its label is missing. */
  readonly service: string;
  /** TCP ports only. */
  readonly ports: readonly SlicePort[];
  readonly endpoints: readonly SliceEndpoint[];
}

export function readEndpointSlice(object: Fields): EndpointSlice {
  const metadata = readMetadata(object, "namespace");
  const named = object.string("addressType") === "FQDN";
  return {
    kind: "EndpointSlice",
    metadata,
    service: metadata.labels["kubernetes.io/service-name"] ?? "",
    ports: object
      .list("ports", (port) => ({
        name: port.optionalString("name") ?? "",
        port: port.optionalInteger("port", 1, 65535) ?? 0,
        tcp: (port.optionalString("protocol") ?? "TCP") === "TCP",
      }))
      .filter((port) => port.tcp && port.port !== 0)
      .map(({ name, port }) => ({ name, port })),
    endpoints: named ? [] : object.list("endpoints", readEndpoint),
  };
}

function readEndpoint(endpoint: Fields): SliceEndpoint {
  // Kubernetes defines the meaning of the first address only.
  const address = endpoint.strings("addresses")[0] ?? "";
  if (isIP(address) === 0) endpoint.refuse("addresses", `expected an IP address first, got ${JSON.stringify(address)}`);
  return { address, ready: endpoint.object("conditions").boolean("ready") ?? true };
}
