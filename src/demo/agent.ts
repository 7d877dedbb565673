// One `weir agent` as a child process, on this machine but with a node name, state directory and metrics address of its own.
import { resolve } from "node:path";
import { Child } from "./child.ts";
import { attempt } from "./command.ts";

export interface AgentOptions {
  readonly node: string;
  /** Directory of its manifests. */
  readonly manifests: string;
  readonly stateDir: string;
  /** Port of 127.0.0.1 for metrics and health. */
  readonly metricsPort: number;
  /** Further flags of `weir agent`. */
  readonly flags?: readonly string[];
  readonly onLine?: (line: string) => void;
}

export const weir: string = resolve(import.meta.dirname, "../../bin/weir");

export class Agent {
  readonly options: AgentOptions;
  #child: Child | undefined;

  constructor(options: AgentOptions) {
    this.options = options;
  }

  get adminSocket(): string {
    return `${this.options.stateDir}/admin.sock`;
  }

  get hubbleSocket(): string {
    return `${this.options.stateDir}/hubble.sock`;
  }

  get metricsUrl(): string {
    return `http://127.0.0.1:${this.options.metricsPort}/metrics`;
  }

  get child(): Child {
    if (this.#child === undefined) throw new Error(`the agent of ${this.options.node} was not started`);
    return this.#child;
  }

  /** Starts it and waits until it says that it is ready. */
  async start(withinMs = 20_000): Promise<void> {
    const { node, manifests, stateDir, metricsPort, flags = [], onLine } = this.options;
    this.#child = new Child(
      [
        ...[weir, "agent", "--node", node, "--source", `file:${manifests}`, "--state-dir", stateDir],
        ...["--metrics-address", `127.0.0.1:${metricsPort}`, ...flags],
      ],
      onLine ? { onLine } : {},
    );
    await this.#becomeReady(withinMs);
  }

  async stop(): Promise<void> {
    await this.#child?.stop(15_000);
  }

  /** kill -9: what is pinned stays in force. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.ended();
  }

  /** Runs a command of the weir CLI against this agent; answers exit code and output. */
  cli(...args: string[]): Promise<{ exit: number; stdout: string; stderr: string }> {
    return attempt([weir, ...args, "--server", this.adminSocket]);
  }

  /** Text of /metrics. */
  async metrics(): Promise<string> {
    const response = await fetch(this.metricsUrl);
    return response.text();
  }

  /** Removes what its node left in the kernel. */
  async uninstall(): Promise<string> {
    const { exit, stdout, stderr } = await attempt([weir, "uninstall", "--node", this.options.node]);
    if (exit !== 0) throw new Error(`weir uninstall --node ${this.options.node} failed: ${stderr || stdout}`);
    return stdout;
  }

  async #becomeReady(withinMs: number): Promise<void> {
    const until = Date.now() + withinMs;
    for (;;) {
      if (!this.child.running)
        throw new Error(`the agent of ${this.options.node} ended: ${this.child.lines.join("\n")}`);
      if (await this.#answersReady()) return;
      if (Date.now() > until)
        throw new Error(`the agent of ${this.options.node} is not ready: ${this.child.lines.join("\n")}`);
      await new Promise((resume) => setTimeout(resume, 50));
    }
  }

  // Another agent of this machine may hold the port while this one finds out.
  async #answersReady(): Promise<boolean> {
    try {
      const { ok } = await fetch(this.metricsUrl.replace("/metrics", "/healthz/ready"));
      return ok && (await this.metrics()).includes(`node="${this.options.node}"`);
    } catch {
      return false;
    }
  }
}
