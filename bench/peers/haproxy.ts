// HAProxy in the client pod's network namespace, `mode tcp`, two threads.
import { writeFileSync } from "node:fs";
import type { Child } from "../../src/demo/child.ts";
import { type Bench, ports } from "../bench.ts";
import { descriptorLimit, firstLine, proportionalSetSize } from "../machine.ts";
import { debianProgram } from "../programs.ts";
import type { Memory, Peer } from "./peer.ts";

export class Haproxy implements Peer {
  readonly name: string;
  readonly title: string;
  readonly optional: boolean;
  readonly address: string;
  readonly #bench: Bench;
  readonly #splice: boolean;
  #program = "haproxy";
  #child: Child | undefined;

  /** With `splice`, large transfers move by splice(2): not HAProxy's default, so measured only when asked for. */
  constructor(bench: Bench, splice: boolean) {
    this.name = splice ? "haproxy-splice" : "haproxy";
    this.title = splice ? "HAProxy, splice" : "HAProxy";
    this.optional = splice;
    this.address = bench.client.ipv4!;
    this.#bench = bench;
    this.#splice = splice;
  }

  async prepare(): Promise<void> {
    this.#program = await debianProgram("haproxy");
  }

  version(): Promise<string> {
    return firstLine([this.#program, "-v"]);
  }

  async start(): Promise<void> {
    const file = `${this.#bench.directory}/${this.name}.cfg`;
    writeFileSync(file, this.#configuration());
    this.#child = await this.#bench.startProxy([this.#program, "-db", "-q", "-f", file]);
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

  #configuration(): string {
    const { client, server } = this.#bench;
    const sections = Object.values(ports).map(
      (port) => `listen p${port}\n  bind ${client.ipv4}:${port}\n  server s ${server.ipv4}:${port}\n`,
    );
    return `global
  nbthread 2
  maxconn ${Math.floor(descriptorLimit() / 2) - 100}
defaults
  mode tcp
  timeout connect 5s
  timeout client 10m
  timeout server 10m
${this.#splice ? "  option splice-auto\n" : ""}${sections.join("")}`;
  }
}
