// weir why FLOW-ID, weir why --from NS/POD --to NS/POD:PORT
import type { Command } from "commander";
import type { WhyAnswer } from "../../admin/why.ts";
import { WeirError } from "../../errors.ts";
import { findAgent } from "../client.ts";
import { type Options, withOutput, withServer } from "../command.ts";
import { Exit } from "../exit.ts";
import { json, painter } from "../render.ts";
import type { Terminal } from "../terminal.ts";

export function define(command: Command): void {
  command
    .argument("[flow]", "id of a flow, as weir observe -o dict and -o json print it")
    .option("--from <pod>", "client of a connection that could be: NAMESPACE/POD, or an address")
    .option("--to <pod:port>", "its server: NAMESPACE/POD:PORT, or ADDRESS:PORT, also of a Service");
  withOutput(withServer(command)).addHelpText("after", "\nExits with 1 when the connection is denied.");
}

export async function run(args: readonly string[], options: Options, terminal: Terminal): Promise<number> {
  const { from, to } = options;
  const [flow] = args;
  if ((flow === undefined) === (from === undefined && to === undefined) || (from === undefined) !== (to === undefined))
    throw new WeirError("QUERY_INVALID", { why: "give either a flow id, or both --from and --to" });
  const client = await findAgent(options.server, terminal);
  const answer = await client.get<WhyAnswer>("/why", { flow, from, to });
  terminal.stdout.write(options.output === "json" ? json(answer) : describe(answer, painter(terminal)));
  const denied = answer.flow === undefined ? !answer.explanation.allowed : answer.flow.verdict === "denied";
  return denied ? Exit.failed : Exit.ok;
}

function describe({ from, to, identity, explanation, flow }: WhyAnswer, paint: ReturnType<typeof painter>): string {
  const verdict = (allowed: boolean) => (allowed ? paint("green", "ALLOWED") : paint("red", "DENIED"));
  const lines = [`${from} -> ${to}`, `client identity ${identity}`];
  if (flow !== undefined)
    lines.push(
      "",
      `then, at ${flow.time}: ${verdict(flow.verdict === "allowed")}`,
      `  ${flow.reason.text}`,
      "",
      "now:",
    );
  lines.push(`${verdict(explanation.allowed)}`, `  ${explanation.decision}`);
  if (explanation.nearest !== undefined) lines.push(`  ${explanation.nearest}`);
  if (explanation.dryRun !== undefined) lines.push(`  ${explanation.dryRun}`);
  if (explanation.considered.length > 0)
    lines.push("", "considered, in order:", ...explanation.considered.map((line) => `  ${line}`));
  if (explanation.notes.length > 0) lines.push("", "worth knowing:", ...explanation.notes.map((line) => `  ${line}`));
  return `${lines.join("\n")}\n`;
}
