// A laboratory: network namespaces as pods, and the test tools running inside them.
import { resolve } from "node:path";
import { Child, killChildren } from "../../src/demo/child.ts";
import { attempt, command, inNamespace } from "../../src/demo/command.ts";
import { Network, type NetworkPod, sweep } from "../../src/demo/network.ts";

const tools = resolve(import.meta.dirname, "../../build/tools");

/** What dial says about one connection. */
export interface Dialled {
  readonly result: "ok" | "socket" | "unspec" | "connect" | "send" | "receive" | "timeout";
  readonly errno: string;
  readonly peer: string;
  readonly local: string;
  readonly beforePeer?: string;
  readonly line?: string;
  readonly sent: number;
  readonly received: number;
  readonly exact: boolean;
  readonly end: "never" | "open" | "eof" | "reset" | "error" | "we closed" | "we reset";
  readonly connectUs: number;
  readonly totalUs: number;
}

/** What dial says about many. */
export interface DialledMany {
  readonly count: number;
  readonly ok: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly inexact: number;
  readonly peakOpen: number;
  readonly connectUs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly totalUs: number;
}

/** What a server in mode hello or once says about its client. */
export interface Greeting {
  readonly accept: string;
  readonly getpeername: string;
  readonly getsockname: string;
}

export class Lab extends Network {
  readonly #children = new Set<Child>();
  readonly #onExit = () => {
    killChildren();
    this.close();
  };

  /** The prefix is unique to a test file; what a killed run left under it is removed first. */
  constructor(prefix: string) {
    sweep(prefix);
    super(prefix);
    process.once("exit", this.#onExit);
  }

  /** Starts a program in a pod, or on the host; stopped with the lab at the latest. */
  start(pod: NetworkPod | undefined, argv: readonly string[]): Child {
    const child = new Child(argv, { netns: pod?.netns });
    this.#children.add(child);
    return child;
  }

  /** Runs a program in a pod, or on the host, to its end; throws when it fails. */
  run(pod: NetworkPod | undefined, argv: readonly string[]): Promise<string> {
    return command(inNamespace(pod?.netns, argv));
  }

  /** Starts `serve` and answers once it listens, with its port. */
  async serve(pod: NetworkPod | undefined, mode: string, flags: readonly string[] = []) {
    const server = this.start(pod, [`${tools}/serve`, ...flags, mode]);
    const [, port] = await server.line(/^READY (\d+)$/);
    return { server, port: Number(port) };
  }

  /** One connection from a pod. */
  async dial(
    pod: NetworkPod | undefined,
    address: string,
    port: number,
    flags: readonly string[] = [],
  ): Promise<Dialled> {
    return JSON.parse(await this.#dial(pod, address, port, flags));
  }

  /** Many connections from a pod. */
  async dialMany(
    pod: NetworkPod | undefined,
    address: string,
    port: number,
    flags: readonly string[],
  ): Promise<DialledMany> {
    return JSON.parse(await this.#dial(pod, address, port, flags));
  }

  /** A connection that goes on while the test does other things. */
  dialling(pod: NetworkPod | undefined, address: string, port: number, flags: readonly string[]) {
    const child = this.start(pod, [`${tools}/dial`, address, String(port), ...flags]);
    const report = async (): Promise<Dialled> => {
      await child.ended();
      return JSON.parse(child.lines.at(-1) ?? "{}");
    };
    return { child, report };
  }

  /** Asks the server of mode hello or once who it sees. */
  async greeting(pod: NetworkPod, address: string, port: number, flags: readonly string[] = []) {
    const dialled = await this.dial(pod, address, port, ["--line", ...flags]);
    const greeting: Greeting | undefined = dialled.line ? JSON.parse(dialled.line) : undefined;
    return { dialled, greeting };
  }

  /** Sends a bare SYN past every socket hook; answers what came back. */
  async spoofSyn(
    pod: NetworkPod,
    mac: string,
    source: string,
    destination: string,
    port: number,
    flags: readonly "--tagged"[] = [],
  ) {
    const syn = ["syn", "eth0", mac, source, destination, String(port)];
    const printed = await this.run(pod, [`${tools}/spoof`, ...flags, ...syn]);
    return JSON.parse(printed) as { answer: "syn-ack" | "rst" | "none"; sourcePort: number };
  }

  /** Claims an address over ARP or neighbour discovery. */
  async claim(pod: NetworkPod, address: string, target?: string, flags: readonly "--tagged"[] = []): Promise<void> {
    await this.run(pod, [`${tools}/spoof`, ...flags, "claim", "eth0", address, ...(target ? [target] : [])]);
  }

  /** Stops what runs and removes everything. */
  async dispose(): Promise<void> {
    await Promise.all([...this.#children].map((child) => child.stop(1_000)));
    process.removeListener("exit", this.#onExit);
    this.close();
  }

  async #dial(pod: NetworkPod | undefined, address: string, port: number, flags: readonly string[]): Promise<string> {
    const { stdout, stderr } = await attempt(
      inNamespace(pod?.netns, [`${tools}/dial`, address, String(port), ...flags]),
    );
    if (stdout === "") throw new Error(`dial ${address} ${port} ${flags.join(" ")}: ${stderr}`);
    return stdout;
  }
}

/** [::ffff:10.0.0.1]:80 -> 10.0.0.1:80; other endpoints as they are. */
export const unmapped = (endpoint: string): string => endpoint.replace(/^\[::ffff:([\d.]+)\]/, "$1");

/** 10.0.0.1:80 -> 10.0.0.1; [fd00::1]:80 -> fd00::1. */
export const hostOf = (endpoint: string): string =>
  unmapped(endpoint)
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "");
