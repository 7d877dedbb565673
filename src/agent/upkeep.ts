// What is done again and again: drift found and repaired, captures that failed tried again, growth of long connections
// reported, losses collected, limits watched.
import type { FlowIntake } from "../flows/intake.ts";
import type { FlowRing } from "../flows/ring.ts";
import type { Log } from "../log.ts";
import type { Datapath, Socket } from "../native/datapath.ts";
import type { NodeProxy } from "../native/proxy.ts";
import type { ControlLoop } from "../snapshot/control-loop.ts";

export interface UpkeepOptions {
  readonly datapath: Datapath;
  readonly proxy: NodeProxy;
  readonly loop: ControlLoop;
  readonly intake: FlowIntake;
  readonly ring: FlowRing;
  /** Sockets of all captured pods. */
  readonly sockets: () => Socket[];
  readonly log: Log;
}

/** Drift is found and repaired within 5 s. Milliseconds. */
const REPAIR = 4_000;
/** Long connections report their growth at least every 10 s. Milliseconds. */
const REPORT = 9_000;
/** enum counter of bpf/abi.h. */
const RECORDS_LOST = 0;
/** Of the descriptor limit: above it the operator is told. */
const DESCRIPTORS_NEAR = 0.8;

export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #timers: readonly NodeJS.Timeout[];
  #repaired = 0;
  #recordsLost: number;
  #descriptorsNear = false;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#recordsLost = this.#kernelLost();
    this.#timers = [
      setInterval(() => this.#guarded("repair", () => this.#repair()), REPAIR),
      setInterval(() => this.#guarded("report", () => this.#report()), REPORT),
    ];
  }

  /** Things found to differ in the kernel and put right, since the start. */
  get driftRepaired(): number {
    return this.#repaired;
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #repair(): void {
    const { datapath, loop, log } = this.#options;
    const found = datapath.repair();
    this.#repaired += found.length;
    for (const drift of found) log.warn({ drift }, "repaired the kernel side");
    loop.retryCaptures();
    this.#collectLosses();
    this.#watchDescriptors();
  }

  #report(): void {
    const { intake, sockets } = this.#options;
    intake.update(sockets(), Number(process.hrtime.bigint()));
  }

  #collectLosses(): void {
    const lost = this.#kernelLost();
    if (lost > this.#recordsLost) this.#options.ring.reportLost("kernel", lost - this.#recordsLost);
    this.#recordsLost = lost;
  }

  #kernelLost(): number {
    return Number(this.#options.datapath.counters()[RECORDS_LOST] ?? 0n);
  }

  #watchDescriptors(): void {
    const { descriptors, descriptorLimit } = this.#options.proxy.stats();
    const near = descriptors > DESCRIPTORS_NEAR * descriptorLimit;
    if (near && !this.#descriptorsNear)
      this.#options.log.warn(
        { descriptors, descriptorLimit },
        "file descriptors run short; raise the limit (ulimit -n)",
      );
    this.#descriptorsNear = near;
  }

  // A failure of one round is told and the next one tries again.
  #guarded(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.log.error({ error }, `${what} failed`);
    }
  }
}
