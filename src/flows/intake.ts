// Where records come in: to the ring, the live connections and the traffic metrics, by row and without names.
import type { Names } from "../mesh/names.ts";
import { adoptionsOf } from "./adoption.ts";
import type { LiveConnections } from "./live.ts";
import { withServerEnds } from "./mirror.ts";
import type { FlowRing, RecordSource } from "./ring.ts";
import type { SocketFigures } from "./socket.ts";

/** Counts rows; src/metrics/traffic.ts is one. */
export interface RowCounter {
  record(batch: Buffer): void;
  /** Rows of connections older than this agent: their totals so far are where counting starts. */
  adopt(batch: Buffer): void;
}

export class FlowIntake {
  readonly #ring: FlowRing;
  readonly #live: LiveConnections;
  readonly #counter: RowCounter;

  constructor(ring: FlowRing, live: LiveConnections, counter: RowCounter) {
    this.#ring = ring;
    this.#live = live;
    this.#counter = counter;
  }

  /** Takes a batch of whole rows; `lost` is how many records its source dropped since the last one. The batch is copied. */
  ingest(source: RecordSource, batch: Uint8Array, lost: number): void {
    const rows = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength);
    this.#live.record(rows);
    const both = withServerEnds(rows);
    this.#counter.record(both);
    this.#ring.ingest(source, both, lost);
  }

  /** Every 10 s: what the live connections have moved, from a dump of all captured namespaces. */
  update(sockets: readonly SocketFigures[], nowNs: number): void {
    const rows = withServerEnds(this.#live.update(sockets, nowNs));
    if (rows.length === 0) return;
    this.#counter.record(rows);
    this.#ring.ingest("agent", rows, 0);
  }

  /** At the start, and when a pod is captured, before the node proxy opens anything there. */
  adopt(sockets: readonly SocketFigures[], names: Names, nowNs: number): void {
    const rows = withServerEnds(this.#live.adopt(adoptionsOf(sockets, names, nowNs)));
    if (rows.length === 0) return;
    this.#counter.adopt(rows);
    this.#ring.ingest("agent", rows, 0);
  }
}
