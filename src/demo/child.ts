// A process this one started: its lines, its end, and nothing but it is ever killed.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { inNamespace } from "./command.ts";

export interface ChildOptions {
  /** Path of the network namespace to run in. */
  readonly netns?: string | undefined;
  readonly environment?: Readonly<Record<string, string>>;
  /** Called with each line of standard output and standard error. */
  readonly onLine?: (line: string) => void;
}

/** Lines kept of each process. */
const remembered = 2_000;

/** The kernel kills the child when this process dies without having had time to. */
const endsWithUs = ["setpriv", "--pdeathsig", "KILL", "--"];

export class Child {
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();
  readonly what: string;

  constructor(argv: readonly string[], options: ChildOptions = {}) {
    const [program, ...rest] = [...endsWithUs, ...inNamespace(options.netns, argv)];
    this.what = argv.join(" ");
    // A session of its own, so that Ctrl-C reaches only the parent, which then stops its children in order.
    this.#process = spawn(program!, rest, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.environment },
      detached: true,
    });
    running.add(this);
    this.#process.on("error", (error) => this.#take(`cannot run ${this.what}: ${error.message}`));
    this.#process.once("close", () => {
      running.delete(this);
      this.#wake();
    });
    for (const stream of [this.#process.stdout!, this.#process.stderr!])
      createInterface({ input: stream }).on("line", (line) => {
        this.#take(line);
        options.onLine?.(line);
      });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** The last lines it printed, standard output and error together. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  /** Waits for a line; throws with what it printed when it ends first or the time is up. */
  async line(pattern: RegExp, timeoutMs = 10_000): Promise<RegExpExecArray> {
    const until = Date.now() + timeoutMs;
    for (;;) {
      const match = this.#lines.map((line) => pattern.exec(line)).find((found) => found !== null);
      if (match) return match;
      if (!this.running) throw new Error(`${this.what} ended before it said ${pattern}: ${this.#lines.join(" | ")}`);
      if (Date.now() >= until) throw new Error(`${this.what} did not say ${pattern}: ${this.#lines.join(" | ")}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, until - Date.now());
        this.#waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Waits for its end and answers the exit code, 128 + signal for a signal. */
  async ended(): Promise<number> {
    if (this.running) await once(this.#process, "close");
    return this.#process.exitCode ?? 128;
  }

  /** Asks it to end, and kills it after the grace time. */
  async stop(graceMs = 10_000): Promise<void> {
    if (!this.running) return;
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), graceMs);
    await this.ended();
    clearTimeout(timer);
  }

  /** kill -9, at once. */
  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    this.#process.kill(signal);
  }

  #take(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > remembered) this.#lines.shift();
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

const running = new Set<Child>();

/** Kills whatever is still running; for the last moments of this process. */
export function killChildren(): void {
  for (const child of running) child.kill();
}
