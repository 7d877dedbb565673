// How things look: tables, JSON, sizes, durations, and colour where a terminal shows it.
import type { Terminal } from "./terminal.ts";

/** Columns aligned, headers in capitals; trailing spaces are cut. */
export function table(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headers.map((header) => header.toUpperCase()), ...rows];
  const widths = headers.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("   ")
      .trimEnd();
  return `${all.map(line).join("\n")}\n`;
}

/** `name:  value` lines, the values aligned. */
export function fields(pairs: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length)) + 1;
  return pairs.map(([name, value]) => `${`${name}:`.padEnd(width)}  ${value}\n`).join("");
}

export const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** 1,234 -> "1.2 kB". */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Milliseconds -> "0.12 ms", "3.4 s", "2 h 5 min". */
export function duration(ms: number): string {
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1_000)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export type Paint = "green" | "red" | "yellow" | "dim";

const codes: Readonly<Record<Paint, number>> = { green: 32, red: 31, yellow: 33, dim: 2 };

/** Colours text when the terminal shows colours. */
export const painter =
  ({ color }: Pick<Terminal, "color">) =>
  (paint: Paint, text: string): string =>
    color ? `\u001b[${codes[paint]}m${text}\u001b[0m` : text;
