// The demo's small world: two agents, and the pods of its manifests as processes in network namespaces. Plays the part
// that a kubelet and a container network play elsewhere.
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, isIPv4, isIPv6, type Server } from "node:net";
import { dirname, join, resolve } from "node:path";
import { parseAllDocuments } from "yaml";
import { Agent } from "./agent.ts";
import { Child, killChildren } from "./child.ts";
import { Network, type NetworkPod, sweep } from "./network.ts";
import { freePort } from "./port.ts";

export const prefix = "weirdemo";
export const runDirectory = "/run/weir/demo";
export const manifestDirectory: string = join(runDirectory, "manifests");

/** A pod of the manifests, as far as somebody who runs it must know. */
export interface PodManifest {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly args: readonly string[];
  readonly addresses: readonly string[];
}

export interface RunningPod {
  readonly manifest: PodManifest;
  readonly network: NetworkPod;
  readonly process: Child;
}

export class Shop {
  readonly agents: readonly Agent[];
  readonly pods = new Map<string, RunningPod>();
  readonly #network = new Network(prefix);
  readonly #lock: Server;
  readonly #onExit = () => {
    killChildren();
    this.#network.close();
  };

  private constructor(lock: Server, metricsPorts: readonly number[]) {
    this.#lock = lock;
    this.agents = ["demo-a", "demo-b"].map((node, index) => {
      const metricsPort = metricsPorts[index]!;
      return new Agent({ node, manifests: manifestDirectory, stateDir: `/run/weir/${node}`, metricsPort });
    });
    process.once("exit", this.#onExit);
  }

  /** Writes the manifests, makes the namespaces, starts the agents and then every pod; all of it, or nothing stays. */
  static async open(): Promise<Shop> {
    const lock = await takeLock();
    sweep(prefix);
    const first = await freePort(15020); // an agent that is not of the demo may run on this machine, too
    const shop = new Shop(lock, [first, await freePort(first + 1)]);
    try {
      await shop.#fill();
      return shop;
    } catch (error) {
      await shop.close();
      throw error;
    }
  }

  pod(name: string): RunningPod {
    const pod = this.pods.get(name);
    if (pod === undefined) throw new Error(`the demo has no pod ${name}`);
    return pod;
  }

  /** Leaves the machine as it was. Answers what could not be removed, a sentence each. */
  async close(): Promise<string[]> {
    await Promise.all([...this.pods.values()].map(({ process }) => process.stop(2_000)));
    await Promise.all(this.agents.map((agent) => agent.stop()));
    const left: string[] = [];
    for (const agent of this.agents) await agent.uninstall().catch((error: Error) => left.push(error.message));
    process.removeListener("exit", this.#onExit);
    this.#network.close();
    this.#lock.close();
    for (const { options } of this.agents) rmSync(options.stateDir, { recursive: true, force: true });
    rmSync(runDirectory, { recursive: true, force: true });
    removeIfEmpty(dirname(runDirectory));
    return left;
  }

  async #fill(): Promise<void> {
    rmSync(runDirectory, { recursive: true, force: true });
    mkdirSync(runDirectory, { recursive: true });
    cpSync(join(import.meta.dirname, "manifests"), manifestDirectory, { recursive: true });
    const manifests = readPods(manifestDirectory);
    await this.#network.reserve(["10.77.0.0/16", "fd77::/16", "10.96.77.0/24", "fd96:77::/64"]);
    const networks: NetworkPod[] = [];
    for (const { name, addresses } of manifests) networks.push(await this.#network.addPod(name, byFamily(addresses)));
    await Promise.all(this.agents.map((agent) => agent.start()));
    for (const [index, manifest] of manifests.entries()) this.#startPod(manifest, networks[index]!);
    const servers = [...this.pods.values()].filter(({ manifest }) => manifest.args.includes("--listen"));
    await Promise.all(servers.map(({ process }) => process.line(/^READY$/)));
  }

  #startPod(manifest: PodManifest, network: NetworkPod): void {
    const workload = resolve(import.meta.dirname, "shop/workload.ts");
    const started = new Child([process.execPath, "--disable-warning=ExperimentalWarning", workload, ...manifest.args], {
      netns: network.netns,
    });
    this.pods.set(manifest.name, { manifest, network, process: started });
  }
}

/** Replaces a manifest as a whole, with rename(2). */
export function editManifest(file: string, edit: (text: string) => string): void {
  const path = join(manifestDirectory, file);
  writeFileSync(`${path}.new`, edit(readFileSync(path, "utf8")));
  renameSync(`${path}.new`, path);
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Another agent of this machine keeps its state there.
  }
}

/** One demo a machine: it would sweep away the namespaces of the other. The kernel frees the name when we die. */
async function takeLock(): Promise<Server> {
  const lock = createServer((connection) => connection.destroy());
  try {
    await once(lock.listen({ path: `\0${prefix}` }), "listening");
  } catch (cause) {
    throw new Error("another demo is running on this machine: end it with Ctrl-C and start this one again", { cause });
  }
  return lock.unref();
}

function byFamily(addresses: readonly string[]): { ipv4: string | undefined; ipv6: string | undefined } {
  return { ipv4: addresses.find((ip) => isIPv4(ip)), ipv6: addresses.find((ip) => isIPv6(ip)) };
}

function readPods(directory: string): PodManifest[] {
  return readdirSync(directory).flatMap((file) =>
    parseAllDocuments(readFileSync(join(directory, file), "utf8"))
      .map((document) => document.toJS())
      .filter((object) => object?.kind === "Pod")
      .map(({ metadata, spec, status }) => ({
        namespace: metadata.namespace,
        name: metadata.name,
        node: spec.nodeName,
        args: spec.containers[0].args,
        addresses: status.podIPs.map(({ ip }: { ip: string }) => ip),
      })),
  );
}
