// The form of a command file: what it takes, and what it does. The table loads only the file that is asked for.
import { type Command, Option } from "commander";
import { WeirError } from "../errors.ts";
import type { Terminal } from "./terminal.ts";

export interface CommandModule {
  /** Adds description, arguments and options. */
  define(command: Command): void;
  /** Does the work; answers the exit code. Errors are thrown and printed once, by main.ts. */
  run(args: readonly string[], options: Options, terminal: Terminal, command: Command): Promise<number>;
}

/** As commander parsed them: camelCase names. */
// biome-ignore lint/suspicious/noExplicitAny: each command knows the options it defined
export type Options = Readonly<Record<string, any>>;

/** Name -> one line for `weir --help`. Each has its file in commands/. */
export const commands: Readonly<Record<string, string>> = {
  agent: "run the agent of this node",
  control: "run the certificate authority",
  demo: "two nodes and a small shop in network namespaces, all real",
  status: "how the agent is doing",
  check: "what this kernel can do for Weir, found by trying",
  get: "list workloads, services or policies",
  observe: "show flows: who talked to whom, and why it was allowed or denied",
  why: "which policy, rule and clause decide about a connection",
  uninstall: "remove everything a node's agent left on this machine",
};

export const loadCommand = async (name: string): Promise<CommandModule> => await import(`./commands/${name}.ts`);

/** --server, for commands that ask an agent. */
export const withServer = (command: Command): Command =>
  command.option("--server <socket>", "admin socket of the agent; default: that of the only agent on this machine");

/** -o, for commands that print something to read. */
export const withOutput = (command: Command): Command =>
  command.addOption(new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table"));

/** For commands that touch the kernel. Throws ROOT_NEEDED. */
export function needRoot(command: string): void {
  if (process.geteuid?.() !== 0) throw new WeirError("ROOT_NEEDED", { command });
}
