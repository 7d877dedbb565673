// A place in the flow ring that moves forward and back, and knows what was overwritten before it got there.
import type { Row, RowStore } from "./store.ts";

export class Cursor {
  readonly #flows: RowStore;
  readonly #denied: RowStore;
  #flow: number;
  #denial: number;
  #lost = 0;
  readonly #row: Row = { rows: Buffer.alloc(0), offset: 0, sequence: 0, timeUs: 0 };

  /** Starts before the rows at these positions. */
  constructor(flows: RowStore, denied: RowStore, flow: number, denial: number) {
    this.#flows = flows;
    this.#denied = denied;
    this.#flow = flow;
    this.#denial = denial;
  }

  /** The next row in order of arrival, or undefined at the end. The object is reused by the next call. */
  next(): Row | undefined {
    this.#skipOverwritten();
    const flow = this.#flow < this.#flows.written ? this.#flows.sequenceAt(this.#flow) : Infinity;
    const denial = this.#denial < this.#denied.written ? this.#denied.sequenceAt(this.#denial) : Infinity;
    if (flow < denial) return this.#flows.load(this.#flow++, this.#row);
    if (denial < Infinity) return this.#denied.load(this.#denial++, this.#row);
    return undefined;
  }

  /** The row before, or undefined at the oldest that is kept. */
  previous(): Row | undefined {
    const flow = this.#flow > this.#flows.oldest ? this.#flows.sequenceAt(this.#flow - 1) : -1;
    const denial = this.#denial > this.#denied.oldest ? this.#denied.sequenceAt(this.#denial - 1) : -1;
    if (flow > denial) return this.#flows.load(--this.#flow, this.#row);
    if (denial >= 0) return this.#denied.load(--this.#denial, this.#row);
    return undefined;
  }

  /** Rows overwritten before this cursor reached them since the last call, exactly. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  #skipOverwritten(): void {
    const flow = this.#flows.oldest - this.#flow;
    const denial = this.#denied.oldest - this.#denial;
    if (flow > 0) {
      this.#lost += flow;
      this.#flow += flow;
    }
    if (denial > 0) {
      this.#lost += denial;
      this.#denial += denial;
    }
  }
}
