// What the agents say they saw.
import type { Agent } from "../../src/demo/agent.ts";
import type { Flow } from "../../src/flows/flow.ts";
import { eventually } from "./eventually.ts";

/** The last flows of an agent, oldest first. */
export async function flowsOf(agent: Agent): Promise<Flow[]> {
  const { exit, stdout, stderr } = await agent.cli("observe", "-o", "json", "--last", "4000");
  if (exit !== 0) throw new Error(`weir observe failed: ${stderr || stdout}`);
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Flow);
}

/** Waits for a flow that is as wanted. */
export function flow(agent: Agent, what: string, wanted: (flow: Flow) => boolean, withinMs = 5_000): Promise<Flow> {
  return eventually(what, async () => (await flowsOf(agent)).find(wanted), { withinMs, everyMs: 100 });
}

/** Whether a flow leads from one pod to another. */
export const between =
  (source: string, destination: string) =>
  (candidate: Flow): boolean =>
    candidate.source.pod === source && candidate.destination.pod === destination;

/** The sum of a metric over all series that have these labels. */
export async function metric(
  agent: Agent,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const lines = (await agent.metrics())
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  const chosen = lines.filter((line) =>
    Object.entries(labels).every(([key, value]) => line.includes(`${key}="${value}"`)),
  );
  return chosen.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}
