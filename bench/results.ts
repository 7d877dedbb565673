// Everything measured so far: for each figure and peer one sample a round, and what failed.
import { median, pairedRatios, present } from "./statistics.ts";

export interface Failure {
  readonly round: number;
  readonly row: string;
  readonly peer: string;
  readonly why: string;
}

export class Results {
  readonly failures: Failure[] = [];
  readonly #samples = new Map<string, Map<string, number[]>>();

  add(round: number, peer: string, values: Readonly<Record<string, number>>): void {
    for (const [figure, value] of Object.entries(values)) {
      if (!Number.isFinite(value)) continue;
      const peers = this.#samples.get(figure) ?? new Map<string, number[]>();
      const samples = peers.get(peer) ?? [];
      samples[round] = value;
      this.#samples.set(figure, peers.set(peer, samples));
    }
  }

  fail(failure: Failure): void {
    this.failures.push(failure);
  }

  /** Samples by round; a round without one is a hole. */
  byRound(figure: string, peer: string): readonly (number | undefined)[] {
    return Array.from(this.#samples.get(figure)?.get(peer) ?? []);
  }

  samples(figure: string, peer: string): number[] {
    return present(this.byRound(figure, peer));
  }

  median(figure: string, peer: string): number {
    return median(this.samples(figure, peer));
  }

  /** Median of the ratios of each round; NaN where there is none. */
  ratio(figure: string, peer: string, to: string): number {
    return median(pairedRatios(this.byRound(figure, peer), this.byRound(figure, to)));
  }

  toJSON() {
    const samples = [...this.#samples].map(([figure, peers]) => [figure, Object.fromEntries(peers)] as const);
    return { samples: Object.fromEntries(samples), failures: this.failures };
  }
}
