// Envoy in the client pod's network namespace, `tcp_proxy`, two worker threads.
import { writeFileSync } from "node:fs";
import type { Child } from "../../src/demo/child.ts";
import { type Bench, ports } from "../bench.ts";
import { firstLine, proportionalSetSize } from "../machine.ts";
import { envoyProgram } from "../programs.ts";
import type { Memory, Peer } from "./peer.ts";

export class Envoy implements Peer {
  readonly name = "envoy";
  readonly title = "Envoy";
  readonly address: string;
  readonly #bench: Bench;
  #program = "envoy";
  #child: Child | undefined;

  constructor(bench: Bench) {
    this.address = bench.client.ipv4!;
    this.#bench = bench;
  }

  async prepare(): Promise<void> {
    this.#program = await envoyProgram();
  }

  async version(): Promise<string> {
    return (await firstLine([this.#program, "--version"])).replace(/^.*version: /, "");
  }

  async start(): Promise<void> {
    const { directory, client, server } = this.#bench;
    const file = `${directory}/envoy.json`;
    writeFileSync(file, JSON.stringify(configuration(client.ipv4!, server.ipv4!)));
    const flags = ["--concurrency", "2", "--disable-hot-restart", "--log-level", "error"];
    this.#child = await this.#bench.startProxy([this.#program, "-c", file, ...flags]);
  }

  async stop(): Promise<void> {
    await this.#child?.stop(2_000);
  }

  get pids(): readonly number[] {
    return this.#child === undefined ? [] : [this.#child.pid];
  }

  async memory(): Promise<Memory> {
    return { pss: proportionalSetSize(this.#child!.pid) };
  }
}

const typed = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";

const socketAddress = (address: string, port: number) => ({ socket_address: { address, port_value: port } });

// The default limit of 1,024 connections to a cluster would make this a benchmark of refusals.
const unlimited = { max_connections: 1_000_000, max_pending_requests: 1_000_000, max_requests: 1_000_000 };

const configuration = (listen: string, forward: string) => ({
  static_resources: {
    listeners: Object.values(ports).map((port) => ({
      name: `l${port}`,
      address: socketAddress(listen, port),
      filter_chains: [
        {
          filters: [
            {
              name: "envoy.filters.network.tcp_proxy",
              typed_config: { "@type": typed, stat_prefix: `p${port}`, cluster: `c${port}` },
            },
          ],
        },
      ],
    })),
    clusters: Object.values(ports).map((port) => ({
      name: `c${port}`,
      type: "STATIC",
      connect_timeout: "5s",
      circuit_breakers: { thresholds: [unlimited] },
      load_assignment: {
        cluster_name: `c${port}`,
        endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(forward, port) } }] }],
      },
    })),
  },
});
