// The Prometheus text format, version 0.0.4.
import type { Series } from "./catalogue.ts";

export const contentType = "text/plain; version=0.0.4; charset=utf-8";

/** HELP and TYPE lines of a series. */
export const header = (name: string, series: Series): string =>
  `# HELP ${name} ${series.help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${series.type}\n`;

/** `{a="x",b="y"}`, or nothing for no labels. Values may hold anything. */
export function labelText(labels: readonly string[], values: readonly string[]): string {
  if (labels.length === 0) return "";
  return `{${labels.map((label, index) => `${label}="${escapeValue(values[index] ?? "")}"`).join(",")}}`;
}

/** One line. */
export const sample = (name: string, labels: string, value: number): string =>
  `${name}${labels} ${numberText(value)}\n`;

const escapeValue = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}
