// The desired state of this node: takes the changes of a source and answers what they mean for kernel and node proxy.
import type { Problem } from "../errors.ts";
import type { ResourceChanges } from "../kube/resources.ts";
import type { Names } from "../mesh/names.ts";
import { Store } from "../mesh/store.ts";
import { Builder, type BuilderOptions } from "./build.ts";
import { diffSnapshots, type SnapshotChange } from "./diff.ts";
import { Directory } from "./directory.ts";
import { emptySnapshot, type Snapshot } from "./snapshot.ts";

export class Desired {
  readonly #store = new Store();
  readonly #builder: Builder;
  readonly #directory = new Directory();
  #snapshot: Snapshot = emptySnapshot;

  constructor(options: BuilderOptions) {
    this.#builder = new Builder(options);
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  get names(): Names {
    return this.#directory;
  }

  /**
   * Takes in one batch. Throws WeirError STATE_UNUSABLE when new ids cannot be stored: the snapshot stays as it is, and
   * the next call, with an empty batch perhaps, makes up for it.
   */
  apply(changes: ResourceChanges): SnapshotChange {
    const next = this.#builder.build(this.#store, this.#store.apply(changes));
    const change = diffSnapshots(this.#snapshot, next);
    this.#directory.update(change);
    this.#snapshot = next;
    return change;
  }

  /** What is wrong with objects that were accepted, for `weir status`. */
  problems(): Problem[] {
    return this.#builder.problems();
  }
}
