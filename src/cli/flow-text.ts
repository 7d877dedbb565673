// A flow as people read it: a line, a block, or the cells of a table row.
import { hostPort } from "../admin/views.ts";
import type { Flow, FlowSide } from "../flows/flow.ts";
import { duration, type Paint, size } from "./render.ts";

export interface FlowTextOptions {
  readonly time: (time: string) => string;
  readonly nodeName: boolean;
  readonly paint: (paint: Paint, text: string) => string;
}

/** TIME [NODE]: SOURCE -> DESTINATION KIND PATH VERDICT (why and how much) */
export function compact(flow: Flow, { time, nodeName, paint }: FlowTextOptions): string {
  const node = nodeName ? ` [${flow.node}]` : "";
  const ends = `${endText(flow.source)} -> ${endText(flow.destination)}`;
  return `${paint("dim", time(flow.time))}${node}: ${ends} ${typeText(flow)} ${verdictText(flow, paint)} (${summary(flow)})\n`;
}

export function dict(flow: Flow, { time, paint }: FlowTextOptions): string {
  const pairs: [string, string][] = [
    ["ID", flow.id],
    ["TIMESTAMP", time(flow.time)],
    ["NODE", flow.node],
    ["SOURCE", `${endText(flow.source)}${identityText(flow.source)}`],
    ["DESTINATION", `${endText(flow.destination)}${identityText(flow.destination)}`],
    ["SERVICE", flow.service ? `${flow.service.namespace}/${flow.service.name}` : "none"],
    ["DIALLED", flow.dialled ? hostPort(flow.dialled.address, flow.dialled.port) : "the destination"],
    ["TYPE", typeText(flow)],
    ["VERDICT", verdictText(flow, paint)],
    ["REASON", flow.reason.text],
    ["DRY RUN", flow.dryRun?.text ?? "no dry-run policy"],
    ["TRAFFIC", trafficText(flow)],
  ];
  return pairs.map(([name, value]) => `${name.padStart(11)}: ${value}\n`).join("");
}

export const columns = ["timestamp", "node", "source", "destination", "type", "verdict", "summary"] as const;

export const cells = (flow: Flow, { time }: Pick<FlowTextOptions, "time">): string[] => [
  time(flow.time),
  flow.node,
  endText(flow.source),
  endText(flow.destination),
  typeText(flow),
  verdictWord(flow),
  summary(flow),
];

const endText = (side: FlowSide): string =>
  side.pod === undefined ? hostPort(side.address, side.port) : `${side.namespace}/${side.pod}:${side.port}`;

const identityText = (side: FlowSide): string =>
  side.identity === undefined ? " (identity not proved)" : ` (${side.identity})`;

const typeText = (flow: Flow): string =>
  flow.path === "none" ? flow.kind : `${flow.kind} ${flow.path} ${flow.end === "source" ? "egress" : "ingress"}`;

function verdictWord(flow: Flow): string {
  if (flow.verdict === "denied") return "DENIED";
  return flow.dryRun?.verdict === "denied" ? "AUDITED" : "ALLOWED";
}

const paints: Readonly<Record<string, Paint>> = { DENIED: "red", AUDITED: "yellow", ALLOWED: "green" };

const verdictText = (flow: Flow, paint: FlowTextOptions["paint"]): string =>
  paint(paints[verdictWord(flow)]!, verdictWord(flow));

// Why, when it opens or is denied; how much, while it lasts and when it ends.
function summary(flow: Flow): string {
  const parts = flow.kind === "open" || flow.verdict === "denied" ? [flow.reason.text] : [trafficText(flow)];
  if (flow.dryRun?.verdict === "denied") parts.push(flow.dryRun.text);
  if (flow.service !== undefined) parts.push(`Service ${flow.service.namespace}/${flow.service.name}`);
  if (flow.cleartext) parts.push("in the clear to another node");
  return parts.join("; ");
}

function trafficText(flow: Flow): string {
  if (flow.failed) return "never established";
  const amounts = `${size(flow.bytesToServer)} to server, ${size(flow.bytesToClient)} to client`;
  const time = flow.durationMs === 0 ? "" : `, ${duration(flow.durationMs)}`;
  const trip = flow.rttUs === 0 ? "" : `, round trip ${duration(flow.rttUs / 1000)}`;
  const resent = flow.retransmits === 0 ? "" : `, ${flow.retransmits} retransmitted`;
  return `${amounts}${time}${trip}${resent}${flow.reset ? ", reset" : ""}`;
}
