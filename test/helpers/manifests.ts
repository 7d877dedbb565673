// Typed builders of the objects the file source reads, and a directory they are moved into with rename(2).
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import type { NetworkPod } from "../../src/demo/network.ts";

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export type Capture = "enabled" | "disabled";

export interface NamespaceOptions {
  readonly capture?: Capture;
  readonly failure?: "open" | "closed";
}

export function namespace(name: string, { capture = "enabled", failure }: NamespaceOptions = {}): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name,
      labels: { "weir.dev/capture": capture },
      ...(failure ? { annotations: { "weir.dev/failure": failure } } : {}),
    },
  };
}

export interface PodOptions {
  readonly namespace: string;
  readonly node: string;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly serviceAccount?: string;
  readonly ready?: boolean;
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  /** Default: the address of the namespace it stands for. */
  readonly addresses?: readonly string[];
}

/** A Pod object for a network namespace of the lab; named, labelled and with a service account as its namespace is. */
export function pod(network: NetworkPod, options: PodOptions): KubernetesObject {
  const { name } = network;
  const addresses = options.addresses ?? [network.ipv4, network.ipv6].filter((ip) => ip !== undefined);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace: options.namespace,
      name,
      ...(options.uid ? { uid: options.uid } : {}),
      labels: { app: name, ...options.labels },
      annotations: { "weir.dev/netns": network.netns },
    },
    spec: {
      nodeName: options.node,
      serviceAccountName: options.serviceAccount ?? name,
      containers: [{ name, ports: options.ports ?? [] }],
    },
    status: {
      podIPs: addresses.map((ip) => ({ ip })),
      conditions: [{ type: "Ready", status: (options.ready ?? true) ? "True" : "False" }],
    },
  };
}

export interface ServiceOptions {
  readonly namespace: string;
  readonly addresses: readonly string[];
  readonly selector: Readonly<Record<string, string>>;
  readonly ports: readonly { readonly port: number; readonly targetPort: number | string; readonly name?: string }[];
  readonly affinity?: boolean;
}

export function service(name: string, options: ServiceOptions): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace: options.namespace, name },
    spec: {
      clusterIPs: options.addresses,
      selector: options.selector,
      ports: options.ports,
      ...(options.affinity ? { sessionAffinity: "ClientIP" } : {}),
    },
  };
}

export interface PolicyOptions {
  readonly namespace: string;
  readonly action?: "ALLOW" | "DENY" | "CUSTOM";
  /** Labels of what it guards; without, the whole namespace. */
  readonly selects?: Readonly<Record<string, string>>;
  readonly rules?: readonly unknown[];
  readonly dryRun?: boolean;
}

export function policy(name: string, options: PolicyOptions): KubernetesObject {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: {
      namespace: options.namespace,
      name,
      ...(options.dryRun ? { annotations: { "istio.io/dry-run": "true" } } : {}),
    },
    spec: {
      ...(options.selects ? { selector: { matchLabels: options.selects } } : {}),
      action: options.action ?? "ALLOW",
      ...(options.rules ? { rules: options.rules } : {}),
    },
  };
}

/** A rule that matches clients with one of these service accounts of a namespace, on these ports if given. */
export const fromAccounts = (namespaceName: string, accounts: readonly string[], ports: readonly number[] = []) => ({
  from: [{ source: { principals: accounts.map((account) => `cluster.local/ns/${namespaceName}/sa/${account}`) } }],
  ...(ports.length > 0 ? { to: [{ operation: { ports: ports.map(String) } }] } : {}),
});

export class Manifests {
  readonly directory: string = mkdtempSync(join(tmpdir(), "weir-manifests-"));

  /** Replaces a file as a whole. */
  write(file: string, ...objects: KubernetesObject[]): void {
    this.writeText(file, objects.map((object) => stringify(object)).join("---\n"));
  }

  writeText(file: string, text: string): void {
    const path = join(this.directory, `${file}.yaml`);
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  }

  remove(file: string): void {
    rmSync(join(this.directory, `${file}.yaml`), { force: true });
  }

  dispose(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
