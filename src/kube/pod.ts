// A Pod: the fields the mesh needs.
import { isIP } from "node:net";
import type { Fields } from "./fields.ts";
import { type Metadata, readMetadata, readName } from "./metadata.ts";

export interface PodPort {
  readonly name: string;
  readonly port: number;
}

export interface OwnerReference {
  readonly kind: string;
  readonly name: string;
}

export interface Pod {
  readonly kind: "Pod";
  readonly metadata: Metadata;
  readonly node: string;
  readonly serviceAccount: string;
  readonly hostNetwork: boolean;
  /** Succeeded or Failed: it never runs again. */
  readonly terminal: boolean;
  /** The Ready condition; true when there are no conditions at all. */
  readonly ready: boolean;
  /** As written, at most one of each family by Kubernetes' own rule, the primary first. */
  readonly addresses: readonly string[];
  /** TCP ports of containers and of init containers that keep running. */
  readonly ports: readonly PodPort[];
  /** The owner reference with controller: true. */
  readonly controller: OwnerReference | undefined;
}

export function readPod(object: Fields): Pod {
  const spec = object.object("spec");
  const status = object.object("status");
  const phase = status.optionalString("phase");
  return {
    kind: "Pod",
    metadata: readMetadata(object, "namespace"),
    node: spec.optionalString("nodeName") ?? "",
    serviceAccount: readName(spec, "serviceAccountName") ?? "default",
    hostNetwork: spec.boolean("hostNetwork") ?? false,
    terminal: phase === "Succeeded" || phase === "Failed",
    ready: readReady(status),
    addresses: readAddresses(status),
    ports: [...spec.list("containers", readPorts).flat(), ...spec.list("initContainers", readSidecarPorts).flat()],
    controller: readController(object.object("metadata")),
  };
}

function readReady(status: Fields): boolean {
  const conditions = status.list("conditions", (condition) => ({
    type: condition.string("type"),
    status: condition.string("status"),
  }));
  if (conditions.length === 0) return true;
  return conditions.some((condition) => condition.type === "Ready" && condition.status === "True");
}

function readAddresses(status: Fields): string[] {
  const listed = status.list("podIPs", (item) => readAddress(item, "ip"));
  if (listed.length > 0) return listed;
  return status.has("podIP") && status.string("podIP") !== "" ? [readAddress(status, "podIP")] : [];
}

function readAddress(fields: Fields, name: string): string {
  const address = fields.string(name);
  if (isIP(address) === 0 || address.includes("%")) {
    fields.refuse(name, `expected an IP address, got ${JSON.stringify(address)}`);
  }
  return address;
}

function readPorts(container: Fields): PodPort[] {
  return container
    .list("ports", (port) => ({
      name: port.optionalString("name") ?? "",
      port: port.integer("containerPort", 1, 65535),
      tcp: (port.optionalString("protocol") ?? "TCP") === "TCP",
    }))
    .filter((port) => port.tcp)
    .map(({ name, port }) => ({ name, port }));
}

function readSidecarPorts(container: Fields): PodPort[] {
  const ports = readPorts(container);
  return container.optionalString("restartPolicy") === "Always" ? ports : [];
}

function readController(metadata: Fields): OwnerReference | undefined {
  return metadata
    .list("ownerReferences", (owner) => ({
      kind: owner.string("kind"),
      name: owner.string("name"),
      controller: owner.boolean("controller") ?? false,
    }))
    .filter((owner) => owner.controller)
    .map(({ kind, name }) => ({ kind, name }))[0];
}
