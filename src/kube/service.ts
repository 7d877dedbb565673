// A Service: the fields the mesh needs.
import { isIP } from "node:net";
import { FieldError, type Fields } from "./fields.ts";
import { type Metadata, readMetadata } from "./metadata.ts";

export interface ServiceSpecPort {
  readonly name: string;
  readonly port: number;
  /** A number, or the name of a container port. */
  readonly targetPort: number | string;
}

export interface ServiceObject {
  readonly kind: "Service";
  readonly metadata: Metadata;
  /** ExternalName Services lead out of the cluster by DNS; the mesh ignores them. */
  readonly external: boolean;
  /** Cluster addresses as written; empty for a headless Service. */
  readonly clusterAddresses: readonly string[];
  /** TCP ports only. */
  readonly ports: readonly ServiceSpecPort[];
  /** Absent or empty: endpoints come from EndpointSlices alone. */
  readonly selector: Readonly<Record<string, string>>;
  readonly publishNotReady: boolean;
  /** 0 without session affinity. */
  readonly affinitySeconds: number;
}

export function readService(object: Fields): ServiceObject {
  const spec = object.object("spec");
  return {
    kind: "Service",
    metadata: readMetadata(object, "namespace"),
    external: spec.optionalString("type") === "ExternalName",
    clusterAddresses: readClusterAddresses(spec),
    ports: spec
      .list("ports", (port) => ({ tcp: (port.optionalString("protocol") ?? "TCP") === "TCP", port: readPort(port) }))
      .filter((port) => port.tcp)
      .map((port) => port.port),
    selector: spec.stringMap("selector"),
    publishNotReady: spec.boolean("publishNotReadyAddresses") ?? false,
    affinitySeconds: readAffinity(spec),
  };
}

function readClusterAddresses(spec: Fields): string[] {
  const single = spec.optionalString("clusterIP");
  const listed = spec.strings("clusterIPs");
  const addresses = listed.length > 0 ? listed : single === undefined || single === "" ? [] : [single];
  for (const [index, address] of addresses.entries()) {
    if (address === "None" || isIP(address) !== 0) continue;
    const path = listed.length > 0 ? [...spec.path, "clusterIPs", index] : [...spec.path, "clusterIP"];
    throw new FieldError(path, `expected an IP address or "None", got ${JSON.stringify(address)}`);
  }
  return addresses.filter((address) => address !== "None");
}

function readPort(port: Fields): ServiceSpecPort {
  const number = port.integer("port", 1, 65535);
  return { name: port.optionalString("name") ?? "", port: number, targetPort: readTargetPort(port) ?? number };
}

function readTargetPort(port: Fields): number | string | undefined {
  if (!port.has("targetPort")) return undefined;
  try {
    return port.optionalInteger("targetPort", 1, 65535);
  } catch {
    const name = port.optionalString("targetPort");
    if (name !== undefined && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name) && /[a-z]/.test(name)) return name;
    return port.refuse("targetPort", "expected a port 1..65535 or the name of a container port");
  }
}

function readAffinity(spec: Fields): number {
  const affinity = spec.optionalString("sessionAffinity") ?? "None";
  if (affinity === "None") return 0;
  if (affinity !== "ClientIP") spec.refuse("sessionAffinity", `expected "None" or "ClientIP", got "${affinity}"`);
  const clientIP = spec.object("sessionAffinityConfig").object("clientIP");
  return clientIP.optionalInteger("timeoutSeconds", 1, 86_400) ?? defaultAffinitySeconds;
}

const defaultAffinitySeconds = 10_800;
