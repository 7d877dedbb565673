// Which workloads had traffic lately, by id, longer than the ring keeps its rows.
import { RECORD_LAYOUT, RECORD_SIZE, wordAt } from "./record.ts";

const CAPACITY = 16_384;

export class WorkloadsSeen {
  /** Wall time of the last record, microseconds, by workload id. */
  readonly #times = new Map<number, number>();
  #lastSource = 0;
  #lastDestination = 0;
  #lastUs = 0;

  /** Notes both workloads of each row. */
  record(batch: Buffer, nowUs: number): void {
    const fresh = nowUs - this.#lastUs > RESOLUTION_US;
    if (fresh) {
      this.#lastSource = 0;
      this.#lastDestination = 0;
      this.#lastUs = nowUs;
    }
    for (let row = 0; row + RECORD_SIZE <= batch.length; row += RECORD_SIZE) {
      const source = wordAt(batch, row + SOURCE);
      const destination = wordAt(batch, row + DESTINATION);
      if (source !== this.#lastSource) this.#note(source, nowUs);
      if (destination !== this.#lastDestination) this.#note(destination, nowUs);
      this.#lastSource = source;
      this.#lastDestination = destination;
    }
  }

  /** Ids of workloads with a record since a wall time in microseconds. */
  since(timeUs: number): number[] {
    return [...this.#times].filter(([, time]) => time >= timeUs).map(([id]) => id);
  }

  #note(id: number, nowUs: number): void {
    if (id === 0) return;
    if (this.#times.size >= CAPACITY && !this.#times.has(id)) this.#forgetOldest();
    this.#times.set(id, nowUs);
  }

  #forgetOldest(): void {
    const [oldest] = [...this.#times].sort((a, b) => a[1] - b[1]).slice(CAPACITY / 2, CAPACITY / 2 + 1);
    for (const [id, time] of this.#times) if (time <= oldest![1]) this.#times.delete(id);
  }
}

/** A run of records of the same two workloads is noted this often. */
const RESOLUTION_US = 1_000_000;
const SOURCE = RECORD_LAYOUT.source_workload.offset;
const DESTINATION = RECORD_LAYOUT.destination_workload.offset;
