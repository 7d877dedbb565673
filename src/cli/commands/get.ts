// weir get workloads|services|policies
import { Argument, type Command } from "commander";
import type { PolicyView, ServiceView, WorkloadView } from "../../admin/views.ts";
import { findAgent } from "../client.ts";
import { type Options, withOutput, withServer } from "../command.ts";
import { Exit } from "../exit.ts";
import { json, table } from "../render.ts";
import type { Terminal } from "../terminal.ts";

const kinds = ["workloads", "services", "policies"] as const;

export function define(command: Command): void {
  command.addArgument(new Argument("<kind>", "what to list").choices(kinds));
  withOutput(withServer(command)).option("-n, --namespace <name>", "only this namespace");
}

export async function run(args: readonly string[], options: Options, terminal: Terminal): Promise<number> {
  const kind = args[0] as (typeof kinds)[number];
  const client = await findAgent(options.server, terminal);
  const items = await client.get<never[]>(`/${kind}`, { namespace: options.namespace });
  terminal.stdout.write(options.output === "json" ? json(items) : tables[kind](items));
  return Exit.ok;
}

const tables: Readonly<Record<(typeof kinds)[number], (items: never[]) => string>> = {
  workloads: (items: WorkloadView[]) =>
    table(
      ["namespace", "pod", "workload", "node", "addresses", "ready", "captured"],
      items.map((item) => [
        item.namespace,
        item.name,
        `${item.workload.kind}/${item.workload.name}`,
        item.node,
        item.addresses.join(","),
        yes(item.ready),
        item.notCaptured === undefined ? yes(item.captured) : `no: ${item.notCaptured}`,
      ]),
    ),
  services: (items: ServiceView[]) =>
    table(
      ["namespace", "service", "addresses", "port", "endpoints"],
      items.flatMap(({ namespace, name, addresses, ports }) =>
        ports.map((port) => [
          namespace,
          name,
          addresses.join(",") || "headless",
          port.name === "" ? String(port.port) : `${port.port} (${port.name})`,
          port.endpoints.join(",") || "none",
        ]),
      ),
    ),
  policies: (items: PolicyView[]) =>
    table(
      ["namespace", "policy", "action", "rules", "condition"],
      items.map((item) => [
        item.namespace,
        item.name,
        item.dryRun ? `${item.action} (dry run)` : item.action,
        item.rules.join("; ") || "none",
        conditionText(item),
      ]),
    ),
};

const yes = (value: boolean): string => (value ? "yes" : "no");

function conditionText({ conditions }: PolicyView): string {
  const wrong = conditions.filter(({ type, status }) => (type === "Accepted" ? !status : status));
  return wrong.map(({ type, message }) => `${type}: ${message}`).join("; ") || "accepted";
}
