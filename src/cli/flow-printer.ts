// Prints flows one after another in the form that was asked for, at the pace of whoever reads them.
import { once } from "node:events";
import type { Writable } from "node:stream";
import type { Flow } from "../flows/flow.ts";
import { cells, columns, compact, dict, type FlowTextOptions } from "./flow-text.ts";
import { table } from "./render.ts";

export interface FlowPrinter {
  print(flow: Flow): Promise<void>;
  /** Prints what waited for the end. */
  close(): void;
}

/** `table` and `tab` wait for the end, because columns are as wide as their widest cell. */
export function flowPrinter(format: string, out: Writable, options: FlowTextOptions): FlowPrinter {
  if (format === "tab" || format === "table") return tablePrinter(out, options);
  const text = format === "json" ? (flow: Flow) => `${JSON.stringify(flow)}\n` : blocks(format, options);
  return {
    print: async (flow) => {
      if (!out.write(text(flow))) await drained(out);
    },
    close: () => {},
  };
}

// A reader that went away ends the stream of flows, not with an error.
const drained = (out: Writable): Promise<unknown> => once(out, "drain").catch(() => undefined);

function blocks(format: string, options: FlowTextOptions): (flow: Flow) => string {
  if (format !== "dict") return (flow) => compact(flow, options);
  let separator = "";
  return (flow) => {
    const text = separator + dict(flow, options);
    separator = "------------\n";
    return text;
  };
}

function tablePrinter(out: Writable, options: FlowTextOptions): FlowPrinter {
  const hidden = options.nodeName ? -1 : columns.indexOf("node");
  const shown = (row: readonly string[]) => row.filter((_, column) => column !== hidden);
  const rows: string[][] = [];
  return {
    print: async (flow) => void rows.push(shown(cells(flow, options))),
    close: () => void out.write(table(shown(columns), rows)),
  };
}
