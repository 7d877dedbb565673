// One node's datapath and a laboratory of pods, for the tests of this folder.
import { existsSync, readdirSync } from "node:fs";
import { command } from "../../src/demo/command.ts";
import type { NetworkPod } from "../../src/demo/network.ts";
import { parseAddress } from "../../src/mesh/address.ts";
import { type CapturedPod, type Datapath, openDatapath, uninstallDatapath } from "../../src/native/datapath.ts";
import { Lab } from "../helpers/netns.ts";

const localAndCaptured = 6; // WORKLOAD_LOCAL | WORKLOAD_CAPTURED

export const address = (text: string): Uint8Array => {
  const bytes = parseAddress(text);
  if (bytes === undefined) throw new Error(`${text} is not an address`);
  return bytes;
};

export class TestNode {
  readonly lab: Lab;
  readonly name: string;
  readonly pins: string;
  datapath: Datapath;
  #slots = 0;

  /** The name is unique to a test file: at most 8 characters. */
  constructor(name: string) {
    this.name = name;
    this.pins = `/sys/fs/bpf/weir/${name}`;
    uninstallDatapath(name);
    this.lab = new Lab(name);
    this.datapath = this.open();
  }

  open(): Datapath {
    return openDatapath({ node: this.name, hangMs: 3_000, maxStaleMs: 3_600_000, podQuota: 100 });
  }

  /** Lets go of the kernel state and takes it over again, as a restarted agent does. */
  restart(): Datapath {
    this.datapath.close();
    this.datapath = this.open();
    return this.datapath;
  }

  capture(pod: NetworkPod, { workload = this.#slots + 1, slot = this.#slots++ } = {}): CapturedPod {
    const { netns } = pod;
    const ipv4 = pod.ipv4 ? { ipv4: address(pod.ipv4) } : {};
    const ipv6 = pod.ipv6 ? { ipv6: address(pod.ipv6) } : {};
    return this.datapath.capture({ workload, netns, slot, failOpen: false, ...ipv4, ...ipv6 });
  }

  /** Captures a pod and writes its workload rows, so that its guard knows its addresses. */
  enrol(pod: NetworkPod): CapturedPod {
    const workload = this.#slots + 1;
    const captured = this.capture(pod);
    const { cookie, ifindex } = captured;
    const row = { workload, flags: localAndCaptured, generation: 1, cookie, ifindex };
    const addresses = [pod.ipv4, pod.ipv6].filter((text) => text !== undefined);
    this.datapath.upsertWorkloads(addresses.map((text) => ({ ...row, address: address(text) })));
    return captured;
  }

  links(prefix = ""): string[] {
    if (!existsSync(`${this.pins}/links`)) return [];
    return readdirSync(`${this.pins}/links`).filter((name) => name.startsWith(prefix));
  }

  rows(table: string): number {
    return this.datapath.tables().find(({ name }) => name === table)?.rows ?? -1;
  }

  /** Detaches a link behind the datapath's back. */
  async detach(link: string): Promise<void> {
    await command(["bpftool", "link", "detach", "pinned", `${this.pins}/links/${link}`]);
  }

  async dispose(): Promise<void> {
    this.datapath.close();
    uninstallDatapath(this.name);
    await this.lab.dispose();
  }
}
