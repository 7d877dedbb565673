// The mesh that Weir is told about: two pods, one Service and one policy; and, to see how it bears size, thousands more.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bench, ports } from "./bench.ts";

/** Address of the Service in front of the server pod, with the server's ports. */
export const serviceAddress = "10.96.76.1";
/** Address of the Service whose endpoints the change row moves. */
export const movingAddress = "10.96.76.2";

export interface Placement {
  readonly client: string;
  readonly server: string;
}

/** Writes the manifests of the two pods, each on its node, into a directory. */
export function writeMesh(bench: Bench, directory: string, nodes: Placement): void {
  mkdirSync(directory, { recursive: true });
  write(directory, "mesh.yaml", [
    namespace("bench"),
    pod("client", "client", nodes.client, bench.client.ipv4!, bench.client.netns),
    pod("server", "server", nodes.server, bench.server.ipv4!, bench.server.netns),
    service("server", serviceAddress, Object.values(ports)),
    service("moving", movingAddress, [80], false),
  ]);
  write(directory, "policy.yaml", [clientPolicy(bench)]);
  write(directory, "endpoints.yaml", [endpoints(bench, ports.first)]);
}

/** Adds captured workloads on other nodes, in files of a hundred, with a Service for every fifty. */
export function writeCrowd(directory: string, workloads: number): void {
  for (let first = 0; first < workloads; first += 100) {
    const group = first / 100;
    const name = `crowd-${group % 20}`;
    const here = Array.from({ length: Math.min(100, workloads - first) }, (_, i) => first + i);
    write(directory, `crowd-${String(group).padStart(4, "0")}.yaml`, [
      namespace(name),
      ...here.map((i) => crowdPod(name, i)),
      ...[0, 1].map((half) => crowdService(name, group * 2 + half)),
    ]);
  }
}

/** A policy that admits the client, and one that admits somebody else. */
export function policyVariants(bench: Bench) {
  const admits = (account: string) => policy("bench-server", { principals: [`cluster.local/ns/bench/sa/${account}`] });
  return [
    { file: variant(bench, "admitted", admits("client")), meets: "1" },
    { file: variant(bench, "refused", admits("somebody-else")), meets: "x" },
  ];
}

/** Endpoints that name one port of the server, and the other. */
export const endpointVariants = (bench: Bench) => [
  { file: variant(bench, "first", endpoints(bench, ports.first)), meets: "1" },
  { file: variant(bench, "second", endpoints(bench, ports.second)), meets: "2" },
];

// Held against the address, since no principal crosses nodes while tunnels do not exist.
const clientPolicy = (bench: Bench) => policy("bench-server", { ipBlocks: [`${bench.client.ipv4}/32`] });

const policy = (name: string, source: object) => ({
  apiVersion: "security.istio.io/v1",
  kind: "AuthorizationPolicy",
  metadata: { namespace: "bench", name },
  spec: { selector: { matchLabels: { app: "server" } }, action: "ALLOW", rules: [{ from: [{ source }] }] },
});

const namespace = (name: string) => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels: { "weir.dev/capture": "enabled" } },
});

const pod = (name: string, account: string, nodeName: string, ip: string, netns: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { namespace: "bench", name, labels: { app: name }, annotations: { "weir.dev/netns": netns } },
  spec: { nodeName, serviceAccountName: account, containers: [{ name: "app" }] },
  status: { podIPs: [{ ip }] },
});

const service = (name: string, clusterIP: string, numbers: readonly number[], selects = true) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { namespace: "bench", name },
  spec: {
    clusterIPs: [clusterIP],
    ...(selects ? { selector: { app: name } } : {}),
    ports: numbers.map((port) => ({ name: `p${port}`, port })),
  },
});

const endpoints = (bench: Bench, port: number) => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { namespace: "bench", name: "moving-1", labels: { "kubernetes.io/service-name": "moving" } },
  addressType: "IPv4",
  endpoints: [
    {
      addresses: [bench.server.ipv4],
      conditions: { ready: true },
      targetRef: { kind: "Pod", namespace: "bench", name: "server" },
    },
  ],
  ports: [{ name: "p80", port, protocol: "TCP" }],
});

const crowdPod = (namespace: string, i: number) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    namespace,
    name: `pod-${i}`,
    labels: { app: `app-${Math.floor(i / 50)}`, "pod-template-hash": "5d4f8c7b9" },
    ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: `app-${Math.floor(i / 50)}-5d4f8c7b9` }],
  },
  spec: { nodeName: `far-${i % 100}`, serviceAccountName: `app-${Math.floor(i / 50)}`, containers: [{ name: "app" }] },
  status: {
    podIPs: [{ ip: `10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}` }],
    conditions: [{ type: "Ready", status: "True" }],
  },
});

const crowdService = (namespace: string, i: number) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { namespace, name: `app-${i}` },
  spec: {
    clusterIPs: [`10.97.${i >> 8}.${i & 255}`],
    selector: { app: `app-${i}` },
    ports: [{ name: "http", port: 80, targetPort: 8080 }],
  },
});

function variant(bench: Bench, name: string, object: object): string {
  write(bench.directory, `${name}.variant`, [object]);
  return join(bench.directory, `${name}.variant`);
}

// JSON is YAML.
const write = (directory: string, file: string, objects: readonly object[]) =>
  writeFileSync(join(directory, file), `${objects.map((object) => JSON.stringify(object)).join("\n---\n")}\n`);
