// What `node bench/run.ts` is told.
import { parseArgs } from "node:util";

export interface Options {
  readonly rounds: number;
  /** Measured time of each load, in seconds. */
  readonly seconds: number;
  readonly warmup: number;
  /** Names of rows; empty: all. */
  readonly rows: readonly string[];
  /** Names of peers; empty: all that are measured by default. */
  readonly peers: readonly string[];
  /** Changes of configuration of each kind. */
  readonly changes: number;
  /** Idle connections that are held. */
  readonly connections: number;
  /** Workloads loaded while changes are measured. */
  readonly workloads: number;
  /** CPU lists for the load's client and for the servers; absent: the scheduler decides. */
  readonly pin: { readonly client: string; readonly server: string } | undefined;
  readonly json: string | undefined;
}

export const usage = `node bench/run.ts [options]

  --rounds N        rounds, each measures every row with every peer in turn (5)
  --seconds S       measured time of each load (3)
  --warmup S        time before it (0.5)
  --rows A,B        only these rows
  --peers A,B       only these peers
  --changes N       policy and endpoint changes that are timed (200)
  --connections N   idle connections to hold (10000, or what the descriptor limit lets a proxy have)
  --workloads N     workloads loaded while changes are timed (10000)
  --pin C,S         CPU of the client and CPU of the servers (default: the scheduler decides)
  --json FILE       write the JSON there as well
  --quick           2 rounds of 1 s, 20 changes, 1000 connections, 1000 workloads: to see that it works
`;

/** Throws a sentence when an option cannot be used. */
export function parseOptions(argv: readonly string[], rows: readonly string[], peers: readonly string[]): Options {
  const { values } = parseArgs({ args: [...argv], options: flags, strict: true });
  const quick = values.quick === true;
  return Object.freeze({
    rounds: number("--rounds", values.rounds, quick ? 2 : 5),
    seconds: number("--seconds", values.seconds, quick ? 1 : 3),
    warmup: number("--warmup", values.warmup, quick ? 0.2 : 0.5),
    rows: names("--rows", values.rows, rows),
    peers: names("--peers", values.peers, peers),
    changes: number("--changes", values.changes, quick ? 20 : 200),
    connections: number("--connections", values.connections, quick ? 1_000 : 10_000),
    workloads: number("--workloads", values.workloads, quick ? 1_000 : 10_000),
    pin: pinning(values.pin),
    json: values.json,
  });
}

const flags = {
  rounds: { type: "string" },
  seconds: { type: "string" },
  warmup: { type: "string" },
  rows: { type: "string" },
  peers: { type: "string" },
  changes: { type: "string" },
  connections: { type: "string" },
  workloads: { type: "string" },
  pin: { type: "string" },
  json: { type: "string" },
  quick: { type: "boolean" },
} as const;

function number(flag: string, text: string | undefined, fallback: number): number {
  const value = Number(text ?? fallback);
  if (!(value > 0)) throw new Error(`${flag}: expected a number above 0, got "${text}"`);
  return value;
}

function names(flag: string, text: string | undefined, known: readonly string[]): readonly string[] {
  const chosen = text === undefined ? [] : text.split(",");
  const unknown = chosen.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`${flag}: there is no ${unknown.join(", ")}; there are ${known.join(", ")}`);
  return chosen;
}

function pinning(text: string | undefined): Options["pin"] {
  if (text === undefined) return undefined;
  const match = /^(\d+),(\d+)$/.exec(text);
  if (match === null) throw new Error(`--pin: expected CLIENT,SERVER as CPU numbers, for example 0,1, got "${text}"`);
  return { client: match[1]!, server: match[2]! };
}
