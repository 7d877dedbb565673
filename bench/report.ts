// The tables.
import type { Peer } from "./peers/peer.ts";
import type { Results } from "./results.ts";
import type { Figure, Row } from "./rows/row.ts";
import { spread } from "./statistics.ts";
import { type Judgement, judge } from "./targets.ts";

export interface Run {
  readonly about: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
  readonly peers: readonly Peer[];
  /** Peers that could not be had, with why. */
  readonly missing: readonly { readonly peer: Peer; readonly why: string }[];
  readonly results: Results;
}

const bases = ["native", "envoy", "haproxy"];
const noisy = 0.1;

/** Markdown, with columns padded so that it reads well in a terminal, too. */
export function renderReport(run: Run): string {
  const figures = run.rows.flatMap((row) => row.figures);
  const judged = judge(run.results);
  const unknown = judged.filter((judgement) => !measured(judgement));
  return [
    "## Figures\n",
    ...table(
      ["figure", "peer", "median", "min – max", ...bases.map((base) => `x ${base}`)],
      figures.flatMap((figure) => figureLines(run, figure)),
    ),
    "\n## Targets\n",
    ...table(["target", "needed", "reached", "met"], judged.filter(measured).map(targetLine)),
    ...(unknown.length > 0 ? [`\nNot measured: ${unknown.map(({ target }) => target.says).join("; ")}.`] : []),
    "\n## About this run\n",
    ...Object.entries(run.about).map(([what, is]) => `- ${what}: ${is}`),
    ...notes(run).map((note) => `- ${note}`),
    "",
  ].join("\n");
}

function figureLines({ peers, results }: Run, figure: Figure): string[][] {
  const measured = peers.filter((peer) => results.samples(figure.name, peer.name).length > 0);
  return measured.map((peer, index) => {
    const samples = results.samples(figure.name, peer.name);
    const shown = (value: number) => value.toFixed(figure.digits);
    const others = bases.map((base) => (base === peer.name ? "" : inTwo(results.ratio(figure.name, peer.name, base))));
    const range = `${shown(Math.min(...samples))} – ${shown(Math.max(...samples))}`;
    const unit = figure.unit === "" ? "" : `, ${figure.unit}`;
    return [
      index === 0 ? figure.title + unit : "",
      peer.title,
      shown(results.median(figure.name, peer.name)),
      range,
      ...others,
    ];
  });
}

const measured = ({ met }: Judgement): boolean => met !== undefined;

const inTwo = (ratio: number): string => (Number.isFinite(ratio) ? ratio.toFixed(2) : "");

function targetLine({ target, value, met }: Judgement): string[] {
  const shown = (number: number) => `${number.toFixed(target.digits)} ${target.unit}`;
  const needed = `${target.needs} ${target.bound} ${target.unit}`;
  return [target.says, needed, shown(value), met ? "yes" : "NO"];
}

function notes({ missing, results, peers, rows }: Run): string[] {
  const native = rows
    .flatMap((row) => row.figures)
    .filter(({ name }) => {
      const samples = results.samples(name, "native");
      return peers.some((peer) => peer.name === "native") && samples.length > 1 && spread(samples) > noisy;
    });
  return [
    ...missing.map(({ peer, why }) => `${peer.title} is missing: ${why}`),
    ...results.failures.map(({ round, row, peer, why }) => `round ${round + 1}, ${row} with ${peer} failed: ${why}`),
    ...(native.length > 0
      ? [`native itself varied by more than ${noisy * 100} %: ${native.map((figure) => figure.title).join(", ")}`]
      : []),
  ];
}

function table(header: readonly string[], lines: readonly (readonly string[])[]): string[] {
  const all = [header, ...lines];
  const widths = header.map((_, column) => Math.max(...all.map((line) => line[column]!.length)));
  const render = (line: readonly string[]) => `| ${line.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  return [render(header), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...lines.map(render)];
}
