// All workloads, kept up to date: a change rebuilds the pods it touched and leaves the objects of all others as they are.
import { isDeepStrictEqual } from "node:util";
import type { Problem } from "../errors.ts";
import type { Pod } from "../kube/pod.ts";
import type { ResourceKey } from "../kube/resources.ts";
import { buildWorkload, uidOf } from "./build-workload.ts";
import { AddressClaims } from "./claims.ts";
import type { Ids } from "./ids.ts";
import type { Store, Touched } from "./store.ts";
import type { Workload } from "./workload.ts";

export interface WorkloadsOptions {
  readonly node: string;
  readonly trustDomain: string;
  readonly ids: Ids;
}

interface Entry {
  readonly idName: string;
  readonly workload: Workload;
  readonly problems: readonly Problem[];
}

export class Workloads {
  readonly #options: WorkloadsOptions;
  readonly #entries = new Map<ResourceKey, Entry>();
  readonly #claims = new AddressClaims();
  readonly #troubled = new Set<ResourceKey>();

  constructor(options: WorkloadsOptions) {
    this.#options = options;
  }

  /** Takes in a change; answers what became of each workload it concerns. */
  update(store: Store, touched: readonly Touched[]): { before: Workload | undefined; after: Workload | undefined }[] {
    const changed = [];
    for (const key of this.#concerned(store, touched)) {
      const before = this.#entries.get(key);
      const after = this.#build(store, key, before);
      if (before !== undefined && before.idName !== after?.idName) this.#options.ids.release("workload", before.idName);
      if (after?.workload !== before?.workload) changed.push({ before: before?.workload, after: after?.workload });
    }
    return changed;
  }

  /** Workloads of a namespace. */
  *inNamespace(store: Store, namespace: string): Generator<Workload> {
    for (const key of store.pods(namespace).keys()) {
      const entry = this.#entries.get(key);
      if (entry !== undefined) yield entry.workload;
    }
  }

  *all(): Generator<Workload> {
    for (const { workload } of this.#entries.values()) yield workload;
  }

  problems(): Problem[] {
    const all = [...this.#troubled].flatMap((key) => this.#entries.get(key)?.problems ?? []);
    // What is wrong with a namespace is found with each of its pods.
    return [...new Map(all.map((problem) => [`${problem.where} ${problem.message}`, problem])).values()];
  }

  /** Keys of pods that changed, whose namespace changed, or who share an address with one that changed. */
  #concerned(store: Store, touched: readonly Touched[]): Set<ResourceKey> {
    const keys = new Set<ResourceKey>();
    for (const { key, before, after } of touched) {
      const object = after ?? before;
      if (object?.kind === "Pod") {
        keys.add(key);
        const rivals = this.#claims.update(key, before as Pod | undefined, after as Pod | undefined);
        for (const rival of rivals) keys.add(rival);
      } else if (object?.kind === "Namespace") {
        for (const pod of store.pods(object.metadata.name).keys()) keys.add(pod);
      }
    }
    return keys;
  }

  #build(store: Store, key: ResourceKey, before: Entry | undefined): Entry | undefined {
    const pod = store.get(key) as Pod | undefined;
    if (pod === undefined) {
      this.#entries.delete(key);
      this.#troubled.delete(key);
      return undefined;
    }
    const { ids, node, trustDomain } = this.#options;
    const { namespace, name } = pod.metadata;
    // Whatever makes up the identity is in the name of the id, so that an id never stands for two identities.
    const idName = `${namespace}/${name} ${uidOf(pod)} ${trustDomain} ${pod.serviceAccount}`;
    const { own, lost } = this.#claims.settle(key, pod);
    const built = buildWorkload({
      id: ids.id("workload", idName),
      pod,
      namespace: store.namespace(namespace),
      addresses: own,
      node,
      trustDomain,
    });
    const problems = [
      ...built.problems,
      ...lost.map(({ address, to }) => ({ where: key, message: `its address ${address} belongs to the newer ${to}` })),
    ];
    const same = before !== undefined && isDeepStrictEqual(before.workload, built.workload);
    const entry = { idName, workload: same ? before.workload : Object.freeze(built.workload), problems };
    this.#entries.set(key, entry);
    if (problems.length > 0) this.#troubled.add(key);
    else this.#troubled.delete(key);
    return entry;
  }
}
