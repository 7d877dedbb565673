// Network namespaces as pods, routed as clouds do it: each pod has a /32 and a /128 behind a veth of its own, and a
// link-local gateway. Everything made here is removed again, forwarding settings of the machine included.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { command } from "./command.ts";

export interface NetworkPod {
  readonly name: string;
  /** Path of its network namespace. */
  readonly netns: string;
  /** Host side of its veth. */
  readonly interface: string;
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
}

export interface PodAddresses {
  readonly ipv4?: string | undefined;
  readonly ipv6?: string | undefined;
}

const gateway4 = "169.254.1.1";
const gateway6 = "fe80::1";

const forwarding = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"];

export class Network {
  readonly prefix: string;
  readonly #pods = new Map<string, NetworkPod>();
  readonly #settings = new Map<string, string>();
  readonly #bridges: string[] = [];
  readonly #reserved: string[] = [];
  #interfaces = 0;

  /** The prefix names namespaces and interfaces: at most 8 characters, unique on the machine. */
  constructor(prefix: string) {
    this.prefix = prefix;
    for (const file of forwarding) this.#set(file, "1");
  }

  get pods(): readonly NetworkPod[] {
    return [...this.#pods.values()];
  }

  /** Keeps what is meant for these ranges on this machine: what no pod there answers is unreachable. */
  async reserve(cidrs: readonly string[]): Promise<void> {
    this.#reserved.push(...cidrs);
    await this.#ip(
      undefined,
      cidrs.map((cidr) => `route replace unreachable ${cidr}`),
    );
  }

  /** Makes a pod's namespace and its way to all others. */
  async addPod(name: string, addresses: PodAddresses): Promise<NetworkPod> {
    const pod = this.#newPod(name, addresses);
    await this.#makeNamespace(pod);
    const { ipv4, ipv6 } = addresses;
    await this.#ip(undefined, [
      `addr add ${gateway4}/32 dev ${pod.interface}`,
      `addr add ${gateway6}/64 dev ${pod.interface} nodad`,
      `link set ${pod.interface} up`,
    ]);
    await this.#ip(pod, [
      "link set eth0 up",
      ...(ipv4 ? [`addr add ${ipv4}/32 dev eth0`, `route add ${gateway4} dev eth0 scope link`] : []),
      ...(ipv4 ? [`route add default via ${gateway4} dev eth0`] : []),
      ...(ipv6 ? [`addr add ${ipv6}/128 dev eth0 nodad`, `route add ::/0 via ${gateway6} dev eth0`] : []),
    ]);
    await this.#ip(undefined, [
      ...(ipv4 ? [`route add ${ipv4}/32 dev ${pod.interface}`] : []),
      ...(ipv6 ? [`route add ${ipv6}/128 dev ${pod.interface}`] : []),
    ]);
    return pod;
  }

  /** Makes a plain bridge whose own addresses are the gateways of what hangs on it. */
  async addBridge(name: string, cidrs: readonly string[]): Promise<string> {
    const bridge = `${this.prefix}${name}`;
    this.#bridges.push(bridge);
    await this.#ip(undefined, [
      `link add ${bridge} type bridge forward_delay 0`,
      ...cidrs.map((cidr) => `addr add ${cidr} dev ${bridge}${cidr.includes(":") ? " nodad" : ""}`),
      `link set ${bridge} up`,
    ]);
    return bridge;
  }

  /** Makes a pod on a bridge, with /24 and /64 around its addresses. */
  async addBridgedPod(bridge: string, name: string, addresses: PodAddresses): Promise<NetworkPod> {
    const pod = this.#newPod(name, addresses);
    await this.#makeNamespace(pod);
    await this.#ip(undefined, [`link set ${pod.interface} master ${bridge}`, `link set ${pod.interface} up`]);
    await this.#ip(pod, [
      "link set eth0 up",
      ...(addresses.ipv4 ? [`addr add ${addresses.ipv4}/24 dev eth0`] : []),
      ...(addresses.ipv6 ? [`addr add ${addresses.ipv6}/64 dev eth0 nodad`] : []),
    ]);
    return pod;
  }

  /** Removes a pod's namespace; its veth goes with it once no process holds the namespace. */
  async removePod(name: string): Promise<void> {
    const pod = this.#pods.get(name);
    if (pod === undefined) return;
    this.#pods.delete(name);
    await this.#ip(undefined, [`link del ${pod.interface}`]).catch(() => {});
    await this.#ip(undefined, [`netns del ${this.#namespace(name)}`]);
  }

  /** Removes everything, synchronously: also on the way out of a dying process. */
  close(): void {
    const lines = this.pods.flatMap((pod) => [`link del ${pod.interface}`, `netns del ${this.#namespace(pod.name)}`]);
    const bridges = this.#bridges.map((bridge) => `link del ${bridge}`);
    const routes = this.#reserved.map((cidr) => `route del unreachable ${cidr}`);
    spawnSync("ip", ["-force", "-batch", "-"], { input: [...lines, ...bridges, ...routes, ""].join("\n") });
    for (const [file, value] of this.#settings) writeFileSync(file, value);
    this.#pods.clear();
    this.#bridges.length = 0;
    this.#reserved.length = 0;
    this.#settings.clear();
  }

  #newPod(name: string, { ipv4, ipv6 }: PodAddresses): NetworkPod {
    const made = `${this.prefix}v${this.#interfaces++}`;
    const pod = { name, netns: `/run/netns/${this.#namespace(name)}`, interface: made, ipv4, ipv6 };
    this.#pods.set(name, pod);
    return pod;
  }

  // Without generated link-local addresses there is no duplicate detection to wait for.
  async #makeNamespace(pod: NetworkPod): Promise<void> {
    const namespace = this.#namespace(pod.name);
    await this.#ip(undefined, [
      `netns add ${namespace}`,
      `link add ${pod.interface} type veth peer name eth0 netns ${namespace}`,
      `link set ${pod.interface} addrgenmode none`,
    ]);
    await this.#ip(pod, ["link set lo up", "link set eth0 addrgenmode none"]);
  }

  #namespace(name: string): string {
    return `${this.prefix}-${name}`;
  }

  #ip(pod: NetworkPod | undefined, lines: readonly string[]): Promise<string> {
    const where = pod === undefined ? [] : ["-n", this.#namespace(pod.name)];
    return command(["ip", ...where, "-batch", "-"], `${lines.join("\n")}\n`);
  }

  #set(file: string, value: string): void {
    const before = readFileSync(file, "utf8").trim();
    if (before === value) return;
    this.#settings.set(file, before);
    writeFileSync(file, value);
  }
}

/** Removes what a run that was killed left behind under this prefix. */
export function sweep(prefix: string): void {
  const names = (...argv: string[]) => spawnSync("ip", argv, { encoding: "utf8" }).stdout.split("\n");
  // Interfaces first: they would outlive their namespace for a moment, and be in the way.
  const interfaces = names("-brief", "link").map((line) => line.split(/[ @]/)[0] ?? "");
  const ours = interfaces.filter((name) => new RegExp(`^${prefix}[vb]\\d+$`).test(name));
  for (const name of ours) spawnSync("ip", ["link", "del", name]);
  const namespaces = names("netns", "list").map((line) => line.split(" ")[0] ?? "");
  for (const name of namespaces.filter((name) => name.startsWith(`${prefix}-`)))
    spawnSync("ip", ["netns", "del", name]);
}
