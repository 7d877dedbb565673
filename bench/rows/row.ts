// Something that is measured.
import type { Bench } from "../bench.ts";
import { processSeconds } from "../machine.ts";
import type { Peer } from "../peers/peer.ts";

export interface Figure {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly digits: number;
}

export interface Row {
  readonly name: string;
  readonly figures: readonly Figure[];
  /** Measured in the first round only: the row repeats by itself. */
  readonly once?: boolean;
  /** Whether it makes sense with this peer. */
  measures(peer: Peer): boolean;
  /** Measures one started peer once; answers values by name of figure. */
  run(bench: Bench, peer: Peer): Promise<Readonly<Record<string, number>>>;
}

/** Peers that carry ordinary load: all but the one that only shows how changes do at scale. */
export const carriesLoad = (peer: Peer): boolean => peer.name !== "weir-large";

/** CPUs that a peer's own processes keep busy while something runs, warming up included; NaN for a peer without any. */
export async function withOwnCpus<T>(peer: Peer, run: () => Promise<T>): Promise<readonly [T, cpus: number]> {
  const read = () => peer.pids.reduce((sum, pid) => sum + processSeconds(pid), 0);
  const before = { at: performance.now(), used: read() };
  const result = await run();
  const seconds = (performance.now() - before.at) / 1000;
  return [result, peer.pids.length > 0 ? (read() - before.used) / seconds : Number.NaN];
}
