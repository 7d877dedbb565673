// weir check
import type { Command } from "commander";
import type { AgentStatus, Problem } from "../../admin/sources.ts";
import { WeirError } from "../../errors.ts";
import { type Probe, probeKernel } from "../../native/datapath.ts";
import { findAgent } from "../client.ts";
import { needRoot, type Options, withOutput, withServer } from "../command.ts";
import { Exit } from "../exit.ts";
import { json, painter } from "../render.ts";
import type { Terminal } from "../terminal.ts";

interface Report {
  readonly probes: readonly Probe[];
  /** Of a running agent; none when none runs. */
  readonly problems: readonly Problem[];
  /** Why no agent was asked. */
  readonly note?: string;
}

export function define(command: Command): void {
  withOutput(withServer(command))
    .option("--pre", "only the kernel: before an agent is installed")
    .addHelpText(
      "after",
      "\nNeeds root. Exits with 1 when something Weir needs is missing, or a running agent has problems.",
    );
}

export async function run(_args: readonly string[], options: Options, terminal: Terminal): Promise<number> {
  needRoot("check");
  const report = {
    probes: probeKernel(),
    ...(options.pre ? { problems: [] } : await agentProblems(options, terminal)),
  };
  terminal.stdout.write(options.output === "json" ? json(report) : describe(report, painter(terminal)));
  return report.probes.every(({ available }) => available) && report.problems.length === 0 ? Exit.ok : Exit.failed;
}

async function agentProblems(options: Options, terminal: Terminal): Promise<Omit<Report, "probes">> {
  try {
    return { problems: (await (await findAgent(options.server, terminal)).get<AgentStatus>("/status")).problems };
  } catch (error) {
    // What the kernel can do is an answer without an agent, too, and with several.
    if (options.server === undefined && error instanceof WeirError) return { problems: [], note: error.message };
    throw error;
  }
}

function describe({ probes, problems, note }: Report, paint: ReturnType<typeof painter>): string {
  const missing = probes.filter(({ available }) => !available);
  const lines = probes.map(
    ({ feature, available, detail }) =>
      `${available ? paint("green", "ok     ") : paint("red", "missing")}  ${feature}: ${detail}`,
  );
  lines.push(
    ...problems.map(({ where, message, next }) => `${paint("yellow", "problem")}  ${where}: ${message} ${next}`),
  );
  if (note !== undefined) lines.push("", `No agent was asked: ${note}.`);
  lines.push("", missing.length === 0 ? "This kernel has what Weir needs." : "This kernel lacks something Weir needs.");
  return `${lines.join("\n")}\n`;
}
