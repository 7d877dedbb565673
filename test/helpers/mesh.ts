// A small mesh: two nodes, each a real agent process, and network namespaces as their pods.
import { rmSync } from "node:fs";
import { Agent } from "../../src/demo/agent.ts";
import type { NetworkPod } from "../../src/demo/network.ts";
import { eventually } from "./eventually.ts";
import { type KubernetesObject, Manifests, namespace, type PodOptions, pod, service } from "./manifests.ts";
import { Lab } from "./netns.ts";

export interface MeshOptions {
  /** Unique to a test file: at most 6 characters, names namespaces and interfaces. */
  readonly prefix: string;
  /** Unique to a test file: its pods are 10.OCTET.NODE.n and fd00:OCTET:NODE::n, its Services 10.96.OCTET.n. */
  readonly octet: number;
  /** Default a and b. */
  readonly nodes?: readonly string[];
  /** Further flags of the agents. */
  readonly flags?: readonly string[];
}

export interface MeshPodOptions extends Partial<PodOptions> {
  readonly node: string;
  /** Default `mesh`, which is captured; `plain` is not. */
  readonly namespace?: string;
}

export interface MeshService {
  readonly ipv4: string;
  readonly ipv6: string;
}

export class Mesh {
  readonly lab: Lab;
  readonly manifests = new Manifests();
  readonly #options: MeshOptions;
  readonly #agents = new Map<string, Agent>();
  readonly #pods = new Map<string, { network: NetworkPod; options: MeshPodOptions }>();
  #services = 0;

  constructor(options: MeshOptions) {
    this.#options = options;
    this.lab = new Lab(options.prefix);
    const nodes = options.nodes ?? ["a", "b"];
    for (const [index, node] of nodes.entries()) this.#agents.set(node, this.#newAgent(node, index));
    this.manifests.write("namespaces", namespace("mesh"), namespace("plain", { capture: "disabled" }));
  }

  /** Starts the agents; pods may be added before and after. */
  async start(): Promise<void> {
    const { octet } = this.#options;
    const ranges = [`10.${octet}.0.0/16`, `fd00:${octet}::/32`, `10.96.${octet}.0/24`, `fd96:${octet}::/64`];
    await this.lab.reserve(ranges);
    await Promise.all([...this.#agents.values()].map((agent) => agent.start()));
  }

  agent(node: string): Agent {
    const agent = this.#agents.get(node);
    if (agent === undefined) throw new Error(`the mesh has no node ${node}`);
    return agent;
  }

  nodeName(node: string): string {
    return `${this.#options.prefix}-${node}`;
  }

  /** An address of a node's pods that no pod has. */
  address(node: string, host: number): { ipv4: string; ipv6: string } {
    const { octet } = this.#options;
    const index = [...this.#agents.keys()].indexOf(node) + 1;
    return { ipv4: `10.${octet}.${index}.${host}`, ipv6: `fd00:${octet}:${index}::${host}` };
  }

  /** Makes a pod's namespace and its manifest, a file of its own. */
  async addPod(name: string, options: MeshPodOptions): Promise<NetworkPod> {
    const network = await this.lab.addPod(name, this.address(options.node, this.#pods.size + 2));
    this.declare(network, options);
    return network;
  }

  /** Writes the manifest of a pod whose namespace exists. */
  declare(network: NetworkPod, options: MeshPodOptions): void {
    this.#pods.set(network.name, { network, options });
    const { node, namespace = "mesh", ...rest } = options;
    this.manifests.write(`pod-${network.name}`, pod(network, { ...rest, namespace, node: this.nodeName(node) }));
  }

  /** Writes a Service over pods with the label app: NAME. */
  addService(
    name: string,
    ports: readonly { port: number; targetPort: number | string }[],
    app = name,
    options: { affinity?: boolean } = {},
  ): MeshService {
    const host = ++this.#services;
    const { octet } = this.#options;
    const addresses = { ipv4: `10.96.${octet}.${host}`, ipv6: `fd96:${octet}::${host}` };
    const { namespace = "mesh" } = this.#pods.get(app)?.options ?? {};
    const cluster = [addresses.ipv4, addresses.ipv6];
    this.manifests.write(
      `service-${name}`,
      service(name, { namespace, addresses: cluster, selector: { app }, ports, ...options }),
    );
    return addresses;
  }

  /** Replaces all policies. */
  policies(...objects: KubernetesObject[]): void {
    this.manifests.write("policies", ...objects);
  }

  /** Waits until a connection goes as it should, and answers how long that took in milliseconds. */
  async settles(what: string, holds: () => Promise<boolean>, withinMs = 5_000): Promise<number> {
    const started = performance.now();
    await eventually(what, holds, { withinMs });
    return performance.now() - started;
  }

  /** Stops everything and leaves the machine as it was; throws afterwards when something could not be removed. */
  async dispose(): Promise<void> {
    const agents = [...this.#agents.values()];
    await Promise.all(agents.map((agent) => agent.stop()));
    const uninstalled = await Promise.allSettled(agents.map((agent) => agent.uninstall()));
    for (const { options } of agents) rmSync(options.stateDir, { recursive: true, force: true });
    await this.lab.dispose();
    this.manifests.dispose();
    for (const result of uninstalled) if (result.status === "rejected") throw result.reason;
  }

  #newAgent(node: string, index: number): Agent {
    const name = this.nodeName(node);
    return new Agent({
      node: name,
      manifests: this.manifests.directory,
      stateDir: `/run/weir/${name}`,
      metricsPort: 21_000 + this.#options.octet * 4 + index,
      flags: this.#options.flags ?? [],
    });
  }
}
