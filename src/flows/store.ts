// A ring of raw rows with their sequence numbers and wall times. Memory is reserved once and touched only as it fills.
import { RECORD_SIZE } from "./record.ts";

/** Where a row is. The cursor that handed it out reuses the object, so take what you need at once. */
export interface Row {
  rows: Buffer;
  offset: number;
  sequence: number;
  /** Wall time of the event, microseconds. */
  timeUs: number;
}

export class RowStore {
  readonly capacity: number;
  /** Rows ever written; the row at position p is kept while p >= written - capacity. */
  written = 0;
  readonly #rows: Buffer;
  readonly #sequences: Float64Array;
  readonly #times: Float64Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#rows = Buffer.alloc(capacity * RECORD_SIZE);
    this.#sequences = new Float64Array(capacity);
    this.#times = new Float64Array(capacity);
  }

  /** The oldest position still kept. */
  get oldest(): number {
    return Math.max(0, this.written - this.capacity);
  }

  get stored(): number {
    return this.written - this.oldest;
  }

  /** Copies whole rows in; their sequence numbers follow one another. `offsetUs` turns kernel time into wall time. */
  append(batch: Buffer, from: number, count: number, sequence: number, offsetUs: number): void {
    let row = from;
    let next = sequence;
    let left = count;
    while (left > 0) {
      const slot = this.written % this.capacity;
      const fit = Math.min(left, this.capacity - slot);
      this.#rows.set(batch.subarray(row, row + fit * RECORD_SIZE), slot * RECORD_SIZE);
      for (let index = 0; index < fit; index++) {
        this.#sequences[slot + index] = next++;
        this.#times[slot + index] = offsetUs + nanosecondsAt(batch, row + index * RECORD_SIZE) / 1000;
      }
      this.written += fit;
      row += fit * RECORD_SIZE;
      left -= fit;
    }
  }

  sequenceAt(position: number): number {
    return this.#sequences[position % this.capacity]!;
  }

  /** Points `row` at the row at a position that is still kept. */
  load(position: number, row: Row): Row {
    const slot = position % this.capacity;
    row.rows = this.#rows;
    row.offset = slot * RECORD_SIZE;
    row.sequence = this.#sequences[slot]!;
    row.timeUs = this.#times[slot]!;
    return row;
  }

  /** The position of the first kept row whose sequence number is at least this; `written` when there is none. */
  search(sequence: number): number {
    let low = this.oldest;
    let high = this.written;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.sequenceAt(middle) < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

// time_ns is the first field.
const nanosecondsAt = (batch: Buffer, row: number): number =>
  batch.readUInt32LE(row) + batch.readUInt32LE(row + 4) * 0x1_0000_0000;
