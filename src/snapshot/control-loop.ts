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
import { type Concern, type RecheckOptions, type Revocation, recheck } from "./recheck.ts";
import { addressKey } from "./rows.ts";
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
  /** One for each change of the last SECOND_LOOK: a later one must not take away what an earlier one asked for. */
  readonly #secondLooks = new Set<NodeJS.Timeout>();
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

  /** Finds captures that are no more, and tries again those that failed. */
  retryCaptures(): void {
    const { desired, publisher, captures } = this.#options;
    if (this.#running !== undefined) return;
    captures.checkNamespaces();
    publisher.retryCaptures((id) => desired.snapshot.workloads.get(id));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    for (const timer of this.#secondLooks) clearTimeout(timer);
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
    const concern = { guarded: this.#judgedAgain(change), departed: departedAddresses(change) };
    if (concern.guarded.size + concern.departed.size === 0) return;
    datapath.synchronize();
    this.#recheck(concern);
    if (concern.guarded.size > 0) this.#lookAgain(concern.guarded);
  }

  // A workload that joins keeps the connections it has. What an agent adopts was judged by the one before it.
  #judgedAgain({ previous, workloads, regenerated }: SnapshotChange): Set<number> {
    const { captures, datapath } = this.#options;
    const guarded = previous.version === 0 && datapath.adopted ? workloads.upserted : regenerated;
    return new Set(guarded.filter(({ workload }) => captures.get(workload.id)).map(({ workload }) => workload.id));
  }

  #lookAgain(guarded: ReadonlySet<number>): void {
    const timer = setTimeout(() => {
      this.#secondLooks.delete(timer);
      this.#recheck({ guarded, departed: new Set() });
    }, SECOND_LOOK);
    this.#secondLooks.add(timer);
  }

  #recheck(concern: Concern): void {
    const revoked = recheck(this.#options.recheck, concern);
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

/** What captured pods of this node no longer have: a gone pod's connections are nobody's, and least its heir's. */
function departedAddresses({ previous, next, workloads }: SnapshotChange): Set<string> {
  const concerned = [...workloads.removed, ...workloads.upserted].map(({ workload }) => workload.id);
  return new Set(
    concerned.flatMap((id) => {
      const before = previous.workloads.get(id)?.workload;
      if (!before?.local || !before.captured) return [];
      const kept = new Set(next.workloads.get(id)?.workload.addresses.map(addressKey));
      return before.addresses.map(addressKey).filter((address) => !kept.has(address));
    }),
  );
}

const merged = (first: ResourceChanges, second: ResourceChanges): ResourceChanges => {
  // Applied in order, deletes before upserts, a batch that deletes what an earlier one upserted must not bring it back.
  const deletes = new Set(second.deletes);
  return {
    upserts: [...first.upserts.filter((resource) => !deletes.has(resourceKey(resource))), ...second.upserts],
    deletes: [...first.deletes, ...second.deletes],
  };
};
