// Weir, with the two pods placed so that a connection takes one path or the other.
//
//   weir-direct      both pods on one node: the kernel decides, then it is plain TCP between the two
//   weir-proxied     the server is captured on another node whose agent does not run: one node proxy, the client's,
//                    carries the connection, where HAProxy and Envoy stand, too
//   weir-two-nodes   two agents: the client's node proxy and the server's, one after the other
//   weir-large       as weir-direct, with thousands of workloads on other nodes
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { Agent, weir } from "../../src/demo/agent.ts";
import { killChildren } from "../../src/demo/child.ts";
import { attempt } from "../../src/demo/command.ts";
import { type Bench, ports } from "../bench.ts";
import { proportionalSetSize } from "../machine.ts";
import { writeCrowd, writeMesh } from "../manifests.ts";
import type { Memory, Peer } from "./peer.ts";

interface Mode {
  readonly name: string;
  readonly title: string;
  readonly serverNode: "bench-1" | "bench-2";
  /** Nodes that have an agent; the client's first. */
  readonly agents: readonly ("bench-1" | "bench-2")[];
  readonly crowd: boolean;
}

export const weirModes: readonly Mode[] = [
  { name: "weir-direct", title: "Weir direct", serverNode: "bench-1", agents: ["bench-1"], crowd: false },
  { name: "weir-proxied", title: "Weir proxied", serverNode: "bench-2", agents: ["bench-1"], crowd: false },
  {
    name: "weir-two-nodes",
    title: "Weir proxied, two nodes",
    serverNode: "bench-2",
    agents: ["bench-1", "bench-2"],
    crowd: false,
  },
  { name: "weir-large", title: "Weir, many workloads", serverNode: "bench-1", agents: ["bench-1"], crowd: true },
];

export class WeirPeer implements Peer {
  readonly name: string;
  readonly title: string;
  readonly address: string;
  /** Directory of the manifests in force. */
  readonly manifests: string;
  /** How long the last start took until the agents said they were ready. */
  startupSeconds = 0;
  readonly #bench: Bench;
  readonly #mode: Mode;
  #agents: Agent[] = [];

  constructor(bench: Bench, mode: Mode) {
    this.name = mode.name;
    this.title = mode.title;
    this.address = bench.server.ipv4!;
    this.manifests = `${bench.directory}/${mode.name}`;
    this.#bench = bench;
    this.#mode = mode;
    process.once("exit", () => {
      if (this.#agents.length === 0) return;
      killChildren();
      this.#uninstallNow();
    });
  }

  async prepare(): Promise<void> {
    const { exit, stderr } = await attempt([weir, "--help"]).catch(() => ({ exit: 1, stderr: "it is not there" }));
    if (exit !== 0) throw new Error(`it does not run: ${stderr.trim()}`);
    this.#uninstallNow(); // what a run that was killed left
  }

  async version(): Promise<string> {
    return JSON.parse(readFileSync(`${import.meta.dirname}/../../package.json`, "utf8")).version;
  }

  async start(): Promise<void> {
    rmSync(this.manifests, { recursive: true, force: true });
    writeMesh(this.#bench, this.manifests, { client: "bench-1", server: this.#mode.serverNode });
    if (this.#mode.crowd) writeCrowd(this.manifests, this.#bench.options.workloads);
    this.#agents = await Promise.all(this.#mode.agents.map((node) => this.#agent(node)));
    const before = performance.now();
    await Promise.all(this.#agents.map((agent) => agent.start(120_000)));
    this.startupSeconds = (performance.now() - before) / 1000;
    await this.#provePath();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.stop()));
    for (const agent of this.#agents) await agent.uninstall();
    this.#agents = [];
  }

  get pids(): readonly number[] {
    return this.#agents.map((agent) => agent.child.pid);
  }

  /** All agents together. */
  async memory(): Promise<Memory & { rust: number }> {
    const each = this.#agents.map((agent) => this.#memoryOf(agent));
    const all = await Promise.all(each);
    return {
      pss: all.reduce((sum, { pss }) => sum + pss, 0),
      rust: all.reduce((sum, { rust }) => sum + rust, 0),
    };
  }

  async #agent(node: string): Promise<Agent> {
    const stateDir = `${this.#bench.directory}/state-${node}`;
    mkdirSync(stateDir, { recursive: true });
    const flags = ["--log-level", "warn", "--drain-timeout", "500ms", "--proxy-threads", "2"];
    return new Agent({ node, manifests: this.manifests, stateDir, metricsPort: await freePort(), flags });
  }

  async #memoryOf(agent: Agent) {
    const rust = readSeries(await agent.metrics(), "weir_proxy_allocated_bytes");
    return { pss: proportionalSetSize(agent.child.pid), rust };
  }

  // A row that says "proxied" must not have measured something else: a few connections, then the counters.
  async #provePath(): Promise<void> {
    const argv = ["connect", this.address, String(ports.once), "--seconds", "0.3", "--warmup", "0"];
    const { count, errors, lastError } = await this.#bench.loadTool(argv);
    const [direct, ...carried] = await Promise.all([
      this.#agents[0]!.metrics().then((text) => readSeries(text, 'weir_kernel_events_total{event="connect_direct"}')),
      ...this.#agents.map((agent) => agent.metrics().then((text) => readSeries(text, "weir_proxy_connections_total"))),
    ]);
    const proxied = this.#mode.serverNode !== "bench-1";
    const right = proxied ? carried.every((connections) => connections >= count) : direct! >= count;
    if (count > 0 && right) return;
    throw new Error(
      `of ${count} connections ${direct} were direct and the node proxies carried ${carried.join(" and ")}; ` +
        `${errors} failed${errors > 0 ? `: ${lastError}` : ""}`,
    );
  }

  #uninstallNow(): void {
    for (const node of this.#mode.agents) spawnSync(weir, ["uninstall", "--node", node]);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

function readSeries(text: string, series: string): number {
  const line = text.split("\n").find((each) => each.startsWith(`${series} `));
  if (line === undefined) throw new Error(`/metrics has no ${series}`);
  return Number(line.slice(series.length + 1));
}
