// The live view: one line for each connection that ended or was denied, in columns.
import { styleText } from "node:util";
import type { Flow, FlowSide } from "../flows/flow.ts";

const widths = [8, 7, 14, 25, 12, 7];

export const viewHeader: string = row(["time", "seen by", "from", "to", "path", "verdict", "what and why"]);

/** The line of a flow; undefined for what would only repeat another line. */
export function viewLine(flow: Flow, color: boolean): string | undefined {
  if (flow.kind !== "close" && flow.kind !== "deny") return undefined;
  // Where both ends are seen, the client's is shown; a client without proved identity is seen by the other end only.
  if (flow.end === "destination" && flow.source.identity !== undefined && flow.verdict === "allowed") return undefined;
  const cells = [
    flow.time.slice(11, 19),
    flow.node,
    name(flow.source),
    `${name(flow.destination)}${flow.service === undefined ? `:${flow.destination.port}` : " (Service)"}`,
    flow.path === "none" ? "-" : flow.path,
    flow.verdict,
    detail(flow),
  ];
  const line = row(cells);
  if (!color) return line;
  return styleText(flow.verdict === "denied" ? "red" : "reset", line, { validateStream: false });
}

function row(cells: readonly string[]): string {
  return `  ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`;
}

const name = (side: FlowSide): string => (side.pod === undefined ? side.address : `${side.namespace}/${side.pod}`);

function detail(flow: Flow): string {
  if (flow.verdict === "denied") return flow.reason.text.replace(/^denied: /, "");
  if (flow.failed) return "never established";
  const clear = flow.cleartext ? ", in the clear for now" : "";
  return `${flow.bytesToServer} B there, ${flow.bytesToClient} B back, ${flow.durationMs.toFixed(1)} ms${clear}`;
}
