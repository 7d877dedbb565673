// Where everything runs: a client pod and a server pod, the servers in it, and load from one to the other.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { Child } from "../src/demo/child.ts";
import { command } from "../src/demo/command.ts";
import { Network, type NetworkPod, sweep } from "../src/demo/network.ts";
import { listeningPorts } from "./machine.ts";
import type { Options } from "./options.ts";
import { debianProgram, loadTool } from "./programs.ts";

/** Ports of the servers; a proxy in the client's place listens on the same. */
export const ports = { sink: 7001, echo: 7002, once: 7003, first: 7004, second: 7005, http: 8080 } as const;

const prefix = "wbench";

export class Bench {
  readonly options: Options;
  readonly client: NetworkPod;
  readonly server: NetworkPod;
  /** Scratch directory of this run, removed at the end. */
  readonly directory: string;
  readonly wrk: string;
  readonly #load: string;
  readonly #network: Network;
  readonly #children = new Set<Child>();
  #server: Child | undefined;

  static async open(options: Options): Promise<Bench> {
    const load = await loadTool();
    const wrk = await debianProgram("wrk");
    const nginx = await debianProgram("nginx", "nginx-light");
    sweep(prefix);
    const network = new Network(prefix);
    const client = await network.addPod("client", { ipv4: "10.76.1.2" });
    const server = await network.addPod("server", { ipv4: "10.76.2.2" });
    const bench = new Bench(options, network, client, server, load, wrk);
    await bench.#serve(nginx);
    return bench;
  }

  private constructor(
    options: Options,
    network: Network,
    client: NetworkPod,
    server: NetworkPod,
    load: string,
    wrk: string,
  ) {
    this.options = options;
    this.client = client;
    this.server = server;
    this.wrk = wrk;
    this.directory = mkdtempSync(`${tmpdir()}/weir-bench-`);
    this.#network = network;
    this.#load = load;
    process.once("exit", () => this.close());
  }

  /** Runs a mode of the load tool in the client pod for the time asked for, and answers what it measured. */
  async load(mode: string, address: string, port: number, flags: readonly string[] = []): Promise<Measured> {
    const { seconds, warmup } = this.options;
    return this.loadTool([mode, address, String(port), "--seconds", `${seconds}`, "--warmup", `${warmup}`, ...flags]);
  }

  /** As load, with a priority that nothing else has: what times short pieces by the clock must not be preempted in one. */
  async loadUndisturbed(mode: string, address: string, port: number): Promise<Measured> {
    const time = ["--seconds", `${this.options.seconds}`, "--warmup", `${this.options.warmup}`];
    return this.#measured(["chrt", "--fifo", "10", this.#load, mode, address, String(port), ...time]);
  }

  /** Runs the load tool in the client pod to its end. */
  loadTool(argv: readonly string[]): Promise<Measured> {
    return this.#measured([this.#load, ...argv]);
  }

  /** As load, with the client, the server and these processes on one CPU: no wake-up crosses to another. */
  async loadOnOneCpu(mode: string, address: string, port: number, pids: readonly number[]): Promise<Measured> {
    const time = ["--seconds", `${this.options.seconds}`, "--warmup", `${this.options.warmup}`];
    const moved = [this.#server!.pid, ...pids];
    for (const pid of moved) await command(["taskset", "-acp", "0", `${pid}`]);
    try {
      return await this.#measured(["taskset", "-c", "0", this.#load, mode, address, String(port), ...time]);
    } finally {
      const everywhere = this.options.pin?.server ?? `0-${availableParallelism() - 1}`;
      for (const pid of moved) await command(["taskset", "-acp", everywhere, `${pid}`]);
    }
  }

  /** Opens connections that stay until the child is stopped. */
  async hold(address: string, port: number, connections: number): Promise<Held> {
    const argv = [this.#load, "hold", address, String(port), "--connections", String(connections)];
    const child = this.start(this.client, argv);
    const [line] = await child.line(/^\{"held".*$/, 60_000);
    return { ...JSON.parse(line), child };
  }

  /** Runs a program in the client pod to its end and answers its lines; throws when it fails. */
  async run(argv: readonly string[]): Promise<readonly string[]> {
    const child = this.start(this.client, argv);
    if ((await child.ended()) === 0) return child.lines;
    throw new Error(`${argv.slice(0, 4).join(" ")} failed: ${child.lines.slice(-3).join(" | ")}`);
  }

  /** Starts a program in a pod. */
  start(pod: NetworkPod, argv: readonly string[]): Child {
    const { pin } = this.options;
    const cpu = pin === undefined ? undefined : pod === this.client ? pin.client : pin.server;
    return this.#remember(new Child(cpu === undefined ? argv : ["taskset", "-c", cpu, ...argv], { netns: pod.netns }));
  }

  /** Starts a proxy in the client pod, where nothing is pinned, and waits until it listens on all ports. */
  async startProxy(argv: readonly string[]): Promise<Child> {
    const child = this.#remember(new Child(argv, { netns: this.client.netns }));
    await this.#listens(child);
    return child;
  }

  /** Removes everything, synchronously: also on the way out of a process that was told to end. */
  close(): void {
    for (const child of this.#children) if (child.running) killGroup(child.pid);
    this.#children.clear();
    this.#network.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #measured(argv: readonly string[]): Promise<Measured> {
    return JSON.parse((await this.run(argv)).at(-1) ?? "{}");
  }

  #remember(child: Child): Child {
    this.#children.add(child);
    void child.ended().then(() => this.#children.delete(child));
    return child;
  }

  async #serve(nginx: string): Promise<void> {
    const modes = [`sink:${ports.sink}`, `echo:${ports.echo}`, `once:${ports.once}`];
    const named = [`byte=1:${ports.first}`, `byte=2:${ports.second}`];
    this.#server = this.start(this.server, [this.#load, "serve", ...modes, ...named]);
    await this.#server.line(/^READY$/);
    mkdirSync(`${this.directory}/nginx`);
    writeFileSync(`${this.directory}/nginx.conf`, nginxConfiguration);
    const prefix = ["-p", `${this.directory}/nginx`, "-e", "stderr"];
    await this.#listens(this.start(this.server, [nginx, ...prefix, "-c", `${this.directory}/nginx.conf`]));
  }

  async #listens(child: Child): Promise<void> {
    const until = Date.now() + 10_000;
    for (;;) {
      if (!child.running) throw new Error(`${child.what} ended: ${child.lines.slice(-3).join(" | ")}`);
      const listening = listeningPorts(child.pid);
      if (Object.values(ports).every((port) => listening.has(port))) return;
      if (Date.now() > until) throw new Error(`${child.what} does not listen: ${child.lines.slice(-3).join(" | ")}`);
      await new Promise((resume) => setTimeout(resume, 20));
    }
  }
}

// Each child leads a group of its own, nginx with its workers in it.
function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // it ended by itself
  }
}

/** Connections that are open, and why there are not more. */
export interface Held {
  readonly child: Child;
  readonly held: number;
  readonly error: string;
}

/** What the load tool prints; fields by mode. Times of `p50` and so on are in nanoseconds. */
export interface Measured {
  readonly bytes: number;
  readonly count: number;
  readonly errors: number;
  readonly lastError: string;
  readonly seconds: number;
  readonly busySeconds: number;
  readonly stealSeconds: number;
  readonly relapses: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

const nginxConfiguration = `
daemon off;
user root;
pid nginx.pid;
worker_processes 2;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  keepalive_requests 100000000;
  server {
    listen ${ports.http};
    location / { default_type text/plain; return 200 "a weir is a low dam that steers a stream and measures its flow\\n"; }
  }
}
`;
