// Kernel time to wall time. CLOCK_MONOTONIC stands still while the machine sleeps and ignores clock steps, so the offset is
// taken anew whenever records arrive, and kept while it only jitters.

export interface Clock {
  /** CLOCK_MONOTONIC, microseconds. */
  monotonicUs(): number;
  /** CLOCK_REALTIME, microseconds. */
  wallUs(): number;
}

export const systemClock: Clock = {
  monotonicUs: () => Number(process.hrtime.bigint() / 1000n),
  wallUs: () => Date.now() * 1000 + 500, // Date.now cuts to whole milliseconds: half of one is the best guess
};

/** Offsets that differ by less are jitter of Date.now, not a step; keeping the old one keeps records in order. */
const JITTER_US = 2_000;

export class WallClock {
  readonly #clock: Clock;
  #offsetUs: number;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.#offsetUs = clock.wallUs() - clock.monotonicUs();
  }

  /** What to add to a CLOCK_MONOTONIC time of about now, in microseconds, to get wall time. */
  sample(): number {
    const offset = this.#clock.wallUs() - this.#clock.monotonicUs();
    if (Math.abs(offset - this.#offsetUs) > JITTER_US) this.#offsetUs = offset;
    return this.#offsetUs;
  }

  nowUs(): number {
    return this.#clock.wallUs();
  }
}
