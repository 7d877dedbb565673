// The captured pods of this node: which slot each has, and where the kernel found it. A pod that cannot be captured is
// reported and tried again; its clients reach it through the node proxy meanwhile.
import { type Problem, reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { isMapped } from "../mesh/address.ts";
import type { Workload } from "../mesh/workload.ts";
import type { Datapath, Socket } from "../native/datapath.ts";
import type { NodeProxy } from "../native/proxy.ts";
import type { Binding } from "./rows.ts";
import { Slots } from "./slots.ts";

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

export class Captures {
  readonly #options: CapturesOptions;
  readonly #captures = new Map<number, Capture>();
  readonly #failed = new Map<number, { readonly workload: Workload; readonly why: string }>();
  readonly #slots: Slots;
  /** Slots of namespaces that workloads left behind, by cookie: in use until the kernel says they are gone. */
  readonly #left = new Map<bigint, number>();

  constructor(options: CapturesOptions) {
    this.#options = options;
    this.#slots = new Slots(options.datapath.slots());
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

  /** Whether an earlier agent captured it and this one has yet to. */
  isAdopted(workload: number): boolean {
    return this.#slots.isAdopted(workload) && !this.#captures.has(workload);
  }

  /**
   * Captures a pod, or takes its changed description in. Answers whether it is captured. A namespace has one identity:
   * it passes on only from workloads that are `leaving`.
   */
  capture(workload: Workload, leaving: ReadonlySet<number> = new Set()): boolean {
    try {
      this.#passOn(workload, this.#options.datapath.cookieOf(workload.netns ?? ""), leaving);
      this.#place(workload);
      this.#failed.delete(workload.id);
      return true;
    } catch (error) {
      this.#fail(workload, reasonOf(error));
      return false;
    }
  }

  /** Lets a pod go. Its connections go on, unless the pod itself is gone. */
  release(workload: number, gone: boolean): void {
    this.#failed.delete(workload);
    const capture = this.#captures.get(workload);
    if (capture === undefined) return;
    this.#captures.delete(workload);
    this.#slots.free(capture.slot);
    try {
      if (this.#holder(capture.cookie) === undefined) this.#options.datapath.release(capture.cookie);
    } finally {
      this.#options.proxy.release(workload, gone);
    }
    this.#options.log.info({ pod: nameOf(capture.workload), gone }, "released a pod");
  }

  /** Finds pods whose namespace is no longer at its path; they are to be captured again. */
  checkNamespaces(): void {
    const inForce = new Set(this.#options.datapath.captured());
    for (const [cookie, slot] of this.#left) {
      if (inForce.has(cookie)) continue;
      this.#left.delete(cookie);
      this.#slots.free(slot);
    }
    for (const capture of [...this.#captures.values()]) {
      const why = this.#whyLost(capture);
      if (why === undefined) continue;
      this.#lose(capture);
      this.#fail(capture.workload, why);
    }
  }

  /** Connections of a captured pod; none when its namespace is gone, so that one pod never keeps others from a check. */
  sockets({ cookie, workload }: Capture): Socket[] {
    return this.#tolerantly(workload, () => this.#options.datapath.sockets(cookie)) ?? [];
  }

  /** Destroys connections of a captured pod. */
  destroy({ cookie, workload }: Capture, sockets: readonly Socket[]): void {
    this.#tolerantly(workload, () => this.#options.datapath.destroySockets(cookie, sockets));
  }

  /** Lets go of pods that an earlier agent captured and this one does not want. */
  releaseUnknown(): void {
    this.#slots.forgetAdopted();
    const known = new Set([...this.#captures.values()].map(({ cookie }) => cookie));
    for (const cookie of this.#options.datapath.captured())
      if (!known.has(cookie)) this.#options.datapath.release(cookie);
  }

  /** Pods whose capture failed, to be tried again. */
  failures(): { readonly workload: Workload; readonly why: string }[] {
    return [...this.#failed.values()];
  }

  problems(): Problem[] {
    const problem = (workload: Workload, message: string) => ({ where: `Pod ${nameOf(workload)}`, message });
    const failed = this.failures().map(({ workload, why }) => problem(workload, `it is not captured: ${why}`));
    const unguarded = [...this.all()].flatMap(({ workload, originUnguarded: why }) =>
      why === undefined ? [] : [problem(workload, why)],
    );
    return [...failed, ...unguarded];
  }

  #holder(cookie: bigint): Capture | undefined {
    return [...this.#captures.values()].find((capture) => capture.cookie === cookie);
  }

  // Makes sure that the namespace is this workload's to have, and that the workload has no other.
  #passOn(workload: Workload, cookie: bigint, leaving: ReadonlySet<number>): void {
    if (cookie === this.#options.datapath.cookieOf("/proc/self/ns/net"))
      throw new Error(`${workload.netns} is the node's own network namespace; its Pod lacks spec.hostNetwork: true`);
    const holder = this.#holder(cookie)?.workload;
    if (holder !== undefined && holder.id !== workload.id && !leaving.has(holder.id))
      throw new Error(`its network namespace ${workload.netns} is that of ${nameOf(holder)}; give it one of its own`);
    const before = this.#captures.get(workload.id);
    if (before !== undefined && before.cookie !== cookie) this.#lose(before);
  }

  #place(workload: Workload): void {
    const before = this.#captures.get(workload.id);
    const slot = before?.slot ?? this.#slots.take(workload.id);
    try {
      if (before === undefined) this.#listen(workload, slot);
      this.#captures.set(workload.id, { workload, slot, ...this.#attach(workload, slot) });
    } catch (error) {
      if (before === undefined) {
        this.#options.proxy.release(workload.id, true);
        this.#slots.free(slot);
      }
      throw error;
    }
  }

  // What still runs in its namespace stays guarded: only cached verdicts let anything through, until the kernel says that
  // the namespace is gone. The listeners close, as they would keep it alive.
  #lose({ workload, cookie, slot }: Capture): void {
    this.#captures.delete(workload.id);
    this.#left.set(cookie, slot);
    this.#options.proxy.release(workload.id, true);
  }

  #whyLost({ workload, cookie }: Capture): string | undefined {
    try {
      const found = this.#options.datapath.cookieOf(workload.netns ?? "");
      return found === cookie ? undefined : `another network namespace is at ${workload.netns} now`;
    } catch (error) {
      // Anything else, a lack of descriptors for one, says nothing of the namespace.
      const { code } = error as NodeJS.ErrnoException;
      return code === undefined || code === "ENOENT" ? reasonOf(error) : undefined;
    }
  }

  #fail(workload: Workload, why: string): void {
    if (this.#failed.get(workload.id)?.why !== why)
      this.#options.log.warn({ pod: nameOf(workload), why }, "a pod is not captured; trying again");
    this.#failed.set(workload.id, { workload, why });
  }

  #tolerantly<Result>(workload: Workload, work: () => Result): Result | undefined {
    try {
      return work();
    } catch (error) {
      this.#options.log.warn({ pod: nameOf(workload), why: reasonOf(error) }, "cannot look at a pod's connections");
      return undefined;
    }
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
}

const nameOf = ({ namespace, name }: Workload): string => `${namespace}/${name}`;
