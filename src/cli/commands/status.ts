// weir status
import type { Command } from "commander";
import type { AgentStatus, Problem } from "../../admin/sources.ts";
import { findAgent } from "../client.ts";
import { type Options, withOutput, withServer } from "../command.ts";
import { Exit } from "../exit.ts";
import { duration, fields, json, painter, size } from "../render.ts";
import type { Terminal } from "../terminal.ts";

export function define(command: Command): void {
  withOutput(withServer(command)).addHelpText("after", "\nExits with 1 when the agent is not ready.");
}

export async function run(_args: readonly string[], options: Options, terminal: Terminal): Promise<number> {
  const client = await findAgent(options.server, terminal);
  const status = await client.get<AgentStatus>("/status");
  terminal.stdout.write(options.output === "json" ? json(status) : describe(status, painter(terminal)));
  return status.ready ? Exit.ok : Exit.failed;
}

function describe(status: AgentStatus, paint: ReturnType<typeof painter>): string {
  const { config, kernel, proxy, flows, memory, addresses } = status;
  const lost = Object.entries(flows.lost).filter(([, count]) => count > 0);
  const state = status.ready ? paint("green", "ready") : paint("red", "not ready");
  const summary = fields([
    ["node", `${status.node}, ${state} for ${duration(Date.now() - Date.parse(status.startedAt))}, pid ${status.pid}`],
    ["version", status.version],
    ["config", `version ${config.version} from ${config.source}, in force for ${age(config.ageSeconds)}`],
    ["mesh", `${config.workloads} workloads, ${config.services} services, ${config.policies} policies`],
    ["kernel", `${kernel.podsCaptured} pods captured${adoption(kernel)}, ${kernel.driftRepaired} times repaired`],
    [
      "tables",
      kernel.tables
        .filter(({ rows }) => rows > 0)
        .map(tableText)
        .join(", ") || "empty",
    ],
    ["proxy", `${proxy.connections} connections, ${proxy.descriptors} of ${proxy.descriptorLimit} descriptors`],
    ["flows", `${flows.seen} seen, ${flows.stored} of ${flows.capacity} kept`],
    ["lost", lost.length === 0 ? "no flow records" : lost.map(([by, count]) => `${count} by ${by}`).join(", ")],
    ["memory", `${size(memory.resident)} resident: ${size(memory.heap)} script heap, ${size(memory.proxy)} node proxy`],
    ["listening", `${addresses.admin}, ${addresses.hubble}, ${addresses.metrics}`],
  ]);
  return summary + status.problems.map((problem) => problemText(problem, paint)).join("");
}

const age = (seconds: number): string => duration(seconds * 1000);

const adoption = ({ adopted }: AgentStatus["kernel"]): string =>
  adopted ? ", adopted from the agent before this one" : "";

const tableText = ({ name, rows, capacity }: AgentStatus["kernel"]["tables"][number]): string =>
  `${name} ${rows}/${capacity}`;

const problemText = ({ where, message, next }: Problem, paint: ReturnType<typeof painter>): string =>
  `\n${paint("yellow", "problem")} ${where}: ${message}\n  ${next}\n`;
