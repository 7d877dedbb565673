// The recent past: raw rows in memory, denied ones apart so that no flood of allowed flows evicts them.
import { type Clock, WallClock } from "./clock.ts";
import { Cursor } from "./cursor.ts";
import { isDenied, RECORD_SIZE } from "./record.ts";
import { type Row, RowStore } from "./store.ts";
import { WorkloadsSeen } from "./workloads-seen.ts";

/** Who wrote a record, or lost it. */
export type RecordSource = "kernel" | "proxy" | "agent";

export interface FlowRingOptions {
  /** Rows kept of what was not denied. Default 16,384. */
  readonly rows?: number;
  /** Rows kept of what was denied. Default 4,096. */
  readonly deniedRows?: number;
  readonly clock?: Clock;
  /** Sequence number of the first row. Default: above any an earlier agent used. */
  readonly firstSequence?: number;
}

export class FlowRing {
  readonly #flows: RowStore;
  readonly #denied: RowStore;
  readonly #clock: WallClock;
  readonly #workloads = new WorkloadsSeen();
  readonly #listeners = new Set<() => void>();
  readonly #lost: Record<RecordSource, number> = { kernel: 0, proxy: 0, agent: 0 };
  #sequence: number;
  readonly #firstSequence: number;

  constructor(options: FlowRingOptions = {}) {
    this.#flows = new RowStore(options.rows ?? 16_384);
    this.#denied = new RowStore(options.deniedRows ?? 4_096);
    this.#clock = new WallClock(options.clock);
    this.#firstSequence = options.firstSequence ?? sequenceAfterRestart(this.#clock.nowUs());
    this.#sequence = this.#firstSequence;
  }

  /** Takes whole rows in; `lost` says how many records the source dropped since its last batch. The batch is copied. */
  ingest(source: RecordSource, batch: Buffer, lost: number): void {
    this.#lost[source] += lost;
    const offsetUs = this.#clock.sample();
    this.#workloads.record(batch, this.#clock.nowUs());
    const end = batch.length - (batch.length % RECORD_SIZE);
    let start = 0;
    for (let row = 0; row < end; row += RECORD_SIZE) {
      if (!isDenied(batch, row)) continue;
      this.#append(this.#flows, batch, start, row, offsetUs);
      this.#append(this.#denied, batch, row, row + RECORD_SIZE, offsetUs);
      start = row + RECORD_SIZE;
    }
    this.#append(this.#flows, batch, start, end, offsetUs);
    for (const listener of this.#listeners) listener();
  }

  /** Counts records lost outside a batch, for example in the kernel's ring buffer. */
  reportLost(source: RecordSource, records: number): void {
    this.#lost[source] += records;
    for (const listener of this.#listeners) listener();
  }

  /** Records lost before they got here, by source. */
  lost(): Readonly<Record<RecordSource, number>> {
    return { ...this.#lost };
  }

  get lostTotal(): number {
    return this.#lost.kernel + this.#lost.proxy + this.#lost.agent;
  }

  /** Rows ever taken in. */
  get seen(): number {
    return this.#sequence - this.#firstSequence;
  }

  get stored(): number {
    return this.#flows.stored + this.#denied.stored;
  }

  get storedDenied(): number {
    return this.#denied.stored;
  }

  get capacity(): number {
    return this.#flows.capacity + this.#denied.capacity;
  }

  /** The sequence number the next row will get. */
  get nextSequence(): number {
    return this.#sequence;
  }

  /** Ids of workloads with a record since a wall time in microseconds, also when the record is no longer kept. */
  workloadsSince(timeUs: number): number[] {
    return this.#workloads.since(timeUs);
  }

  /** Wall time now, microseconds, by the clock the rows are stamped with. */
  nowUs(): number {
    return this.#clock.nowUs();
  }

  oldest(): Cursor {
    return new Cursor(this.#flows, this.#denied, this.#flows.oldest, this.#denied.oldest);
  }

  newest(): Cursor {
    return new Cursor(this.#flows, this.#denied, this.#flows.written, this.#denied.written);
  }

  /** The row with this sequence number while it is kept. */
  find(sequence: number): Row | undefined {
    for (const store of [this.#flows, this.#denied]) {
      const position = store.search(sequence);
      if (position < store.written && store.sequenceAt(position) === sequence)
        return store.load(position, { rows: Buffer.alloc(0), offset: 0, sequence: 0, timeUs: 0 });
    }
    return undefined;
  }

  /** Calls back after each batch, synchronously, so keep it short. Answers how to stop. */
  onRows(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #append(store: RowStore, batch: Buffer, from: number, to: number, offsetUs: number): void {
    const count = (to - from) / RECORD_SIZE;
    if (count === 0) return;
    store.append(batch, from, count, this.#sequence, offsetUs);
    this.#sequence += count;
  }
}

const EPOCH_US = Date.UTC(2025, 0, 1) * 1000;

// 65,536 numbers for each second that passes: flow ids of an earlier agent are not met again unless it wrote more than that.
const sequenceAfterRestart = (wallUs: number): number =>
  Math.max(0, Math.floor((wallUs - EPOCH_US) / 1_000_000)) * 65_536;
