// weir observe: hubble observe's flags, with the reason in words.
import { type Command, Option } from "commander";
import type { FlowLine } from "../../admin/routes/flows.ts";
import { WeirError } from "../../errors.ts";
import { type AdminClient, findAgent, type Query } from "../client.ts";
import { type Options, withServer } from "../command.ts";
import { Exit } from "../exit.ts";
import { flowPrinter } from "../flow-printer.ts";
import { painter } from "../render.ts";
import { Selection, selectionFlags } from "../selection.ts";
import type { Terminal } from "../terminal.ts";
import { parseTime, timeFormats } from "../time.ts";

const short: Readonly<Record<string, string>> = { namespace: "-n, ", label: "-l, " };
const DEFAULT_LAST = 20;

export function define(command: Command): void {
  withServer(command)
    .option("-f, --follow", "go on with new flows")
    .option("--last <n>", "the last N flows (default 20)", parseCount)
    .option("--first <n>", "the first N flows kept", parseCount)
    .option("--all", "every flow kept")
    .option("--since <time>", "flows since a time: 30s, 5m, 1h, or a date")
    .option("--until <time>", "flows until a time")
    .addOption(
      new Option("-o, --output <format>", "how to print flows")
        .choices(["compact", "dict", "json", "jsonpb", "tab", "table"])
        .default("compact"),
    )
    .option("--print-node-name", "print the node a flow was seen on")
    .addOption(
      new Option("--time-format <name>", "how to print times").choices(Object.keys(timeFormats)).default("StampMilli"),
    )
    .option("--not", "take away what the next filter selects");
  const selection = new Selection();
  command.on("option:not", () => selection.not());
  for (const { flag, help } of selectionFlags) {
    command.option(`${short[flag] ?? ""}--${flag} <value>`, help);
    command.on(`option:${flag}`, (value: string) => selection.add(flag, value));
  }
  command.option("-4, --ipv4", "only IPv4").on("option:ipv4", () => selection.add("ip-version", "v4"));
  command.option("-6, --ipv6", "only IPv6").on("option:ipv6", () => selection.add("ip-version", "v6"));
  selections.set(command, selection);
}

export async function run(
  _args: readonly string[],
  options: Options,
  terminal: Terminal,
  command: Command,
): Promise<number> {
  const query = { ...selector(options), ...filters(selections.get(command)!) };
  const client = await findAgent(options.server, terminal);
  if (options.output === "jsonpb") await copyLines(client, query, terminal);
  else await printFlows(client, query, options, terminal);
  return Exit.ok;
}

const selections = new WeakMap<Command, Selection>();

async function printFlows(client: AdminClient, query: Query, options: Options, terminal: Terminal): Promise<void> {
  const printer = flowPrinter(options.output, terminal.stdout, {
    time: timeFormats[options.timeFormat]!,
    nodeName: options.printNodeName === true,
    paint: painter(terminal),
  });
  for await (const line of client.lines<FlowLine>("/flows", query)) {
    if ("flow" in line) await printer.print(line.flow);
    else terminal.stderr.write(`EVENTS LOST: ${line.lost} by ${line.by}\n`);
  }
  printer.close();
}

async function copyLines(client: AdminClient, query: Query, terminal: Terminal): Promise<void> {
  for await (const line of client.lines<object>("/flows", { ...query, form: "hubble" }))
    terminal.stdout.write(`${JSON.stringify(line)}\n`);
}

// As hubble observe: the last 20, unless a time or a number says otherwise; following starts with what is new.
function selector({ first, last, all, follow, since, until }: Options): Query {
  if (first !== undefined && (last !== undefined || follow))
    throw new WeirError("QUERY_INVALID", { why: "--first cannot be combined with --last or --follow" });
  const now = new Date();
  const bounded = first !== undefined || all || since !== undefined || until !== undefined;
  const number = last ?? (bounded ? undefined : follow ? 0 : DEFAULT_LAST);
  return {
    first,
    last: number,
    follow: follow === true,
    since: since && parseTime(since, now),
    until: until && parseTime(until, now),
  };
}

const filters = ({ allow, deny }: Selection): Query => ({
  allow: allow.length === 0 ? undefined : JSON.stringify(allow),
  deny: deny.length === 0 ? undefined : JSON.stringify(deny),
});

function parseCount(value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw new WeirError("QUERY_INVALID", { why: `"${value}" is not a number of flows` });
  return Number(value);
}
