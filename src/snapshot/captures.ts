// The captured pods of this node: which slot each has, and where the kernel found it. A pod that cannot be captured is
// reported and tried again; its clients reach it through the node proxy meanwhile.
import { type Problem, reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { isMapped } from "../mesh/address.ts";
import type { Workload } from "../mesh/workload.ts";
import type { Datapath } from "../native/datapath.ts";
import type { NodeProxy } from "../native/proxy.ts";
import type { Binding } from "./rows.ts";

export interface Capture extends Binding {
  readonly workload: Workload;
  readonly slot: number;
  /** Why forged packets of this pod cannot be dropped; undefined when they can. */
  readonly originUnguarded: string | undefined;
}

export interface CapturesOptions {
  readonly datapath: Datapath;
  readonly proxy: NodeProxy;
  readonly log: Log;
}

/** Rows of `pods` in bpf/maps.h. */
const SLOTS = 1024;

export class Captures {
  readonly #options: CapturesOptions;
  readonly #captures = new Map<number, Capture>();
  readonly #failed = new Map<number, { readonly workload: Workload; readonly why: string }>();
  readonly #slots = new Set<number>();
  /** Slots that pods of an earlier agent still have, by workload; a pod keeps its own. */
  #adopted: ReadonlyMap<number, number>;

  constructor(options: CapturesOptions) {
    this.#options = options;
    this.#adopted = new Map(options.datapath.slots().map(({ workload, slot }) => [workload, slot]));
  }

  /** By workload id. */
  get(workload: number): Capture | undefined {
    return this.#captures.get(workload);
  }

  all(): IterableIterator<Capture> {
    return this.#captures.values();
  }

  get size(): number {
    return this.#captures.size;
  }

  /** Captures a pod, or takes its changed description in. Answers whether it is captured. */
  capture(workload: Workload): boolean {
    const before = this.#captures.get(workload.id);
    const slot = before?.slot ?? this.#takeSlot(workload.id);
    try {
      if (slot === undefined) throw new Error(`all ${SLOTS} slots for captured pods of this node are in use`);
      if (before === undefined || before.workload.netns !== workload.netns) this.#listen(workload, slot);
      this.#captures.set(workload.id, { workload, slot, ...this.#attach(workload, slot) });
      this.#failed.delete(workload.id);
      return true;
    } catch (error) {
      if (before === undefined && slot !== undefined) this.#abandon(workload, slot);
      this.#failed.set(workload.id, { workload, why: reasonOf(error) });
      this.#options.log.warn({ pod: nameOf(workload), why: reasonOf(error) }, "a pod cannot be captured; trying again");
      return false;
    }
  }

  /** Lets a pod go. Its connections go on, unless the pod itself is gone. */
  release(workload: number, gone: boolean): void {
    this.#failed.delete(workload);
    const capture = this.#captures.get(workload);
    if (capture === undefined) return;
    this.#captures.delete(workload);
    this.#slots.delete(capture.slot);
    this.#options.datapath.release(capture.cookie);
    this.#options.proxy.release(workload, gone);
    this.#options.log.info({ pod: nameOf(capture.workload), gone }, "released a pod");
  }

  /** Lets go of pods that an earlier agent captured and this one does not want. */
  releaseUnknown(): void {
    this.#adopted = new Map();
    const known = new Set([...this.#captures.values()].map(({ cookie }) => cookie));
    for (const cookie of this.#options.datapath.captured())
      if (!known.has(cookie)) this.#options.datapath.release(cookie);
  }

  /** Pods whose capture failed, to be tried again. */
  failed(): Workload[] {
    return [...this.#failed.values()].map(({ workload }) => workload);
  }

  problems(): Problem[] {
    const failed = [...this.#failed.values()].map(({ workload, why }) => ({
      where: `Pod ${nameOf(workload)}`,
      message: `it is not captured: ${why}`,
    }));
    const unguarded = [...this.#captures.values()].flatMap(({ workload, originUnguarded }) =>
      originUnguarded === undefined ? [] : [{ where: `Pod ${nameOf(workload)}`, message: originUnguarded }],
    );
    return [...failed, ...unguarded];
  }

  // The listeners are there before the lookup program: no SYN finds an empty slot.
  #listen(workload: Workload, slot: number): void {
    const ipv6 = workload.addresses.some((address) => !isMapped(address));
    this.#options.proxy.capture({ workload: workload.id, netns: workload.netns ?? "", slot, ipv6 });
  }

  #attach(workload: Workload, slot: number) {
    const ipv4 = workload.addresses.find(isMapped);
    const ipv6 = workload.addresses.find((address) => !isMapped(address));
    const pod = this.#options.datapath.capture({
      workload: workload.id,
      netns: workload.netns ?? "",
      ...(ipv4 && { ipv4 }),
      ...(ipv6 && { ipv6 }),
      slot,
      failOpen: workload.failure === "open",
    });
    return { cookie: pod.cookie, ifindex: pod.ifindex, originUnguarded: pod.originUnguarded };
  }

  #abandon(workload: Workload, slot: number): void {
    this.#options.proxy.release(workload.id, true);
    this.#slots.delete(slot);
  }

  #takeSlot(workload: number): number | undefined {
    const slot = this.#adopted.get(workload) ?? this.#freeSlot();
    if (slot !== undefined) this.#slots.add(slot);
    return slot;
  }

  #freeSlot(): number | undefined {
    const adopted = new Set(this.#adopted.values());
    for (let slot = 0; slot < SLOTS; slot++) if (!this.#slots.has(slot) && !adopted.has(slot)) return slot;
    return undefined;
  }
}

const nameOf = ({ namespace, name }: Workload): string => `${namespace}/${name}`;
