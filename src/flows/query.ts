// Reading flows: which ones (the selection of Hubble's GetFlows), in bounded steps, at the pace of whoever asks.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Names } from "../mesh/names.ts";
import type { Cursor } from "./cursor.ts";
import type { FlowPredicate } from "./filter.ts";
import { decodeFlow, type Flow } from "./flow.ts";
import type { FlowRing, RecordSource } from "./ring.ts";
import type { Row } from "./store.ts";

export interface FlowQuery {
  /** How many flows; the last ones unless `first` or `sinceUs`. Default: all. With `follow`, only how far to look back. */
  readonly number?: number;
  readonly first?: boolean;
  /** Goes on with new flows; with neither number nor since, only new ones. */
  readonly follow?: boolean;
  /** Wall time, microseconds. Decides where to start, before `number`. */
  readonly sinceUs?: number;
  readonly untilUs?: number;
  readonly matches: FlowPredicate;
}

/** A flow, or how many records are missing at this place and who lost them ("ring": overwritten unseen). */
export type FlowEvent = SelectedFlow | { readonly lost: number; readonly by: RecordSource | "ring" };

export interface SelectedFlow {
  readonly flow: Flow;
  /** Wall time, microseconds. */
  readonly timeUs: number;
}

export interface FlowReaderSources {
  readonly ring: FlowRing;
  readonly names: Names;
  readonly node: string;
}

/** Rows looked at before other work gets a turn. */
const STRIDE = 512;

/** Flows in order of arrival. Nothing is queued: a slow reader finds out how many rows were overwritten meanwhile. */
export async function* readFlows(
  sources: FlowReaderSources,
  query: FlowQuery,
  signal: AbortSignal,
): AsyncGenerator<FlowEvent, void, undefined> {
  const { ring } = sources;
  const select = selector(sources, query);
  const end = query.follow ? Infinity : ring.nextSequence;
  const losses = new LossWatch(ring);
  const cursor = await start(ring, query, select, signal);
  let left = query.follow ? Infinity : (query.number ?? Infinity);
  let looked = 0;
  while (left > 0 && !signal.aborted) {
    const seen = ring.nextSequence;
    const row = cursor.next();
    const over = row === undefined || row.sequence >= end;
    const event = over ? undefined : select(row); // before any pause: the row may be overwritten during one
    if (losses.any(cursor)) yield* losses.take();
    if (over) {
      if (!query.follow || isOver(ring, query)) return;
      if (seen === ring.nextSequence) await rowsArrive(ring, query, signal);
      continue;
    }
    if (event !== undefined) {
      left--;
      yield event;
    }
    if (++looked % STRIDE === 0) await nextTurn();
  }
}

/** One flow by its sequence number, while it is kept. */
export function findFlow({ ring, names, node }: FlowReaderSources, sequence: number): Flow | undefined {
  const row = ring.find(sequence);
  return row && decodeFlow(row, node, names);
}

function selector({ node, names }: FlowReaderSources, query: FlowQuery): (row: Row) => SelectedFlow | undefined {
  const since = query.sinceUs ?? -Infinity;
  const until = query.untilUs ?? Infinity;
  return (row) => {
    const { timeUs } = row;
    if (timeUs < since || timeUs > until) return undefined;
    const flow = decodeFlow(row, node, names);
    return query.matches(flow) ? { flow, timeUs } : undefined;
  };
}

async function start(
  ring: FlowRing,
  query: FlowQuery,
  select: (row: Row) => SelectedFlow | undefined,
  signal: AbortSignal,
): Promise<Cursor> {
  if (query.first || query.sinceUs !== undefined) return ring.oldest();
  const cursor = ring.newest();
  let wanted = query.number ?? (query.follow ? 0 : Infinity);
  if (wanted === Infinity) return ring.oldest();
  for (let looked = 1; wanted > 0 && !signal.aborted; looked++) {
    const row = cursor.previous();
    if (row === undefined) break;
    if (select(row) !== undefined) wanted--;
    if (looked % STRIDE === 0) await nextTurn();
  }
  return cursor;
}

// Rows come late by at most a batch; a second covers it.
const isOver = (ring: FlowRing, query: FlowQuery): boolean =>
  query.untilUs !== undefined && ring.nowUs() > query.untilUs + 1_000_000;

function rowsArrive(ring: FlowRing, query: FlowQuery, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = query.untilUs === undefined ? undefined : setTimeout(finish, 1_000);
    const stop = ring.onRows(finish);
    signal.addEventListener("abort", finish);
    function finish(): void {
      clearTimeout(timer);
      stop();
      signal.removeEventListener("abort", finish);
      resolve();
    }
    if (signal.aborted) finish();
  });
}

// What got lost since the reader began: in the ring unseen by it, and before the ring for everybody.
class LossWatch {
  readonly #ring: FlowRing;
  #known: Readonly<Record<RecordSource, number>>;
  #total: number;
  #overwritten = 0;

  constructor(ring: FlowRing) {
    this.#ring = ring;
    this.#known = ring.lost();
    this.#total = ring.lostTotal;
  }

  any(cursor: Cursor): boolean {
    this.#overwritten = cursor.takeLost();
    return this.#overwritten > 0 || this.#total !== this.#ring.lostTotal;
  }

  *take(): Generator<FlowEvent, void, undefined> {
    const before = this.#known;
    this.#known = this.#ring.lost();
    this.#total = this.#ring.lostTotal;
    const now = this.#known;
    if (this.#overwritten > 0) yield { lost: this.#overwritten, by: "ring" };
    for (const source of ["kernel", "proxy", "agent"] as const)
      if (now[source] > before[source]) yield { lost: now[source] - before[source], by: source };
  }
}
