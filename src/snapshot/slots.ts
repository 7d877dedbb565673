// Which of the kernel's slots each captured pod has. A pod that an earlier agent captured keeps its own.

/** Rows of `pods` in bpf/maps.h. */
const SLOTS = 1024;

export class Slots {
  readonly #used = new Set<number>();
  /** By workload. */
  #adopted: ReadonlyMap<number, number>;

  constructor(adopted: readonly { readonly workload: number; readonly slot: number }[]) {
    this.#adopted = new Map(adopted.map(({ workload, slot }) => [workload, slot]));
  }

  /** Whether an earlier agent gave this workload a slot. */
  isAdopted(workload: number): boolean {
    return this.#adopted.has(workload);
  }

  /** Slots of an earlier agent that nobody took are free. */
  forgetAdopted(): void {
    this.#adopted = new Map();
  }

  /** Throws when all are in use. */
  take(workload: number): number {
    const slot = this.#own(workload) ?? this.#lowestFree();
    this.#used.add(slot);
    return slot;
  }

  free(slot: number): void {
    this.#used.delete(slot);
  }

  #own(workload: number): number | undefined {
    const slot = this.#adopted.get(workload);
    return slot === undefined || this.#used.has(slot) ? undefined : slot;
  }

  #lowestFree(): number {
    const adopted = new Set(this.#adopted.values());
    for (let slot = 0; slot < SLOTS; slot++) if (!this.#used.has(slot) && !adopted.has(slot)) return slot;
    throw new Error(`all ${SLOTS} slots for captured pods of this node are in use`);
  }
}
