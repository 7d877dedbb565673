// One change after another: what the source says becomes the desired state, goes down, and live connections are judged by
// it. Changes that arrive meanwhile are taken together next.
import { reasonOf, WeirError } from "../errors.ts";
import { type ResourceChanges, resourceKey } from "../kube/resources.ts";
import type { Log } from "../log.ts";
import type { Datapath } from "../native/datapath.ts";
import type { Captures } from "./captures.ts";
import type { Desired } from "./desired.ts";
import { changesNothing, diffSnapshots, type SnapshotChange } from "./diff.ts";
import type { Publisher } from "./publish.ts";
import { type RecheckOptions, type Revocation, recheck } from "./recheck.ts";
import { emptySnapshot, type Snapshot } from "./snapshot.ts";

export interface ControlLoopOptions {
  readonly desired: Desired;
  readonly publisher: Publisher;
  readonly captures: Captures;
  readonly datapath: Datapath;
  readonly recheck: RecheckOptions;
  /** Told of connections that a change ended. */
  readonly revoked: (revocations: readonly Revocation[]) => void;
  readonly log: Log;
}

/** A second look, for connections that were between two states at the first. Milliseconds. */
const SECOND_LOOK = 200;
/** What could not be stored or published is tried again. Milliseconds. */
const RETRY = 1_000;

export class ControlLoop {
  readonly #options: ControlLoopOptions;
  #pending: ResourceChanges | undefined;
  #running: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #secondLook: NodeJS.Timeout | undefined;
  #guarded = new Set<number>();
  #published: Snapshot = emptySnapshot;
  #publishedAt = 0;
  #failure: string | undefined;
  #closed = false;

  constructor(options: ControlLoopOptions) {
    this.#options = options;
  }

  /** Takes changes of the source; they are in force when `idle` resolves. */
  take(changes: ResourceChanges): void {
    this.#pending = this.#pending === undefined ? changes : merged(this.#pending, changes);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when nothing is on its way down. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** When the state in force was last published; milliseconds since the epoch, 0 before the first time. */
  get publishedAt(): number {
    return this.#publishedAt;
  }

  /** Why the newest change is not in force; undefined when it is. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Tries captures again that failed, and judges connections to what is captured now. */
  retryCaptures(): void {
    const { desired, publisher } = this.#options;
    if (this.#running === undefined) publisher.retryCaptures((id) => desired.snapshot.workloads.get(id));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#secondLook);
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#pending !== undefined && !this.#closed) {
      const changes = this.#pending;
      this.#pending = undefined;
      try {
        await this.#step(changes);
        this.#failure = undefined;
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  async #step(changes: ResourceChanges): Promise<void> {
    const { desired, publisher, datapath } = this.#options;
    desired.apply(changes);
    // From what is in force, not from what was last wanted: a publish that failed is made up for.
    const change = diffSnapshots(this.#published, desired.snapshot);
    if (changesNothing(change) && this.#publishedAt !== 0) return;
    await publisher.publish(change);
    this.#published = change.next;
    this.#publishedAt = Date.now();
    this.#guarded = this.#judgedAgain(change);
    if (this.#guarded.size === 0) return;
    datapath.synchronize();
    this.#recheck();
    clearTimeout(this.#secondLook);
    this.#secondLook = setTimeout(() => this.#recheck(), SECOND_LOOK);
  }

  // At the first publish every workload is new to this agent, but its connections need not be.
  #judgedAgain({ previous, workloads, regenerated }: SnapshotChange): Set<number> {
    const guarded = previous.version === 0 ? workloads.upserted : regenerated;
    return new Set(
      guarded.filter(({ workload }) => this.#options.captures.get(workload.id)).map(({ workload }) => workload.id),
    );
  }

  #recheck(): void {
    const revoked = recheck(this.#options.recheck, [...this.#options.captures.all()], this.#guarded);
    if (revoked.length === 0) return;
    this.#options.log.info({ connections: revoked.length }, "ended connections that policy no longer allows");
    this.#options.revoked(revoked);
  }

  // The store has the change already, so an empty batch makes up for it.
  #fail(error: unknown): void {
    this.#failure = reasonOf(error);
    this.#options.log.error(
      { why: this.#failure, code: error instanceof WeirError ? error.code : undefined },
      "a change is not in force; the state before it is, and it is tried again",
    );
    clearTimeout(this.#retry);
    if (!this.#closed) this.#retry = setTimeout(() => this.take({ upserts: [], deletes: [] }), RETRY);
  }
}

const merged = (first: ResourceChanges, second: ResourceChanges): ResourceChanges => {
  // Applied in order, deletes before upserts, a batch that deletes what an earlier one upserted must not bring it back.
  const deletes = new Set(second.deletes);
  return {
    upserts: [...first.upserts.filter((resource) => !deletes.has(resourceKey(resource))), ...second.upserts],
    deletes: [...first.deletes, ...second.deletes],
  };
};
