// Builds the snapshot of each version from what a change touched; what it did not touch is carried over as it is.
import type { Problem } from "../errors.ts";
import { selects } from "../kube/selector.ts";
import type { Ids } from "../mesh/ids.ts";
import { Services } from "../mesh/services.ts";
import type { Store, Touched } from "../mesh/store.ts";
import type { Workload } from "../mesh/workload.ts";
import { Workloads } from "../mesh/workloads.ts";
import { Policies, type PolicyRevision } from "../policy/policies.ts";
import { emptySnapshot, type GuardedWorkload, type Snapshot } from "./snapshot.ts";

export interface BuilderOptions {
  /** The node this agent runs on. */
  readonly node: string;
  readonly trustDomain: string;
  readonly rootNamespaces: readonly string[];
  readonly ids: Ids;
}

export class Builder {
  readonly #ids: Ids;
  readonly #workloads: Workloads;
  readonly #services: Services;
  readonly #policies: Policies;
  #last: Snapshot = emptySnapshot;

  constructor(options: BuilderOptions) {
    this.#ids = options.ids;
    this.#workloads = new Workloads(options);
    this.#services = new Services(options.ids);
    this.#policies = new Policies(options);
  }

  /**
   * The snapshot after a change. Throws WeirError STATE_UNUSABLE when new ids cannot be stored; the next call that can
   * store them answers with this change taken in, too.
   */
  build(store: Store, touched: readonly Touched[]): Snapshot {
    const policies = new Map(this.#last.policies);
    const services = new Map(this.#last.services);
    const workloads = new Map(this.#last.workloads);
    const changedPolicies = this.#policies.update(touched);
    replaceById(policies, changedPolicies, (revision) => revision.policy.id);
    replaceById(services, this.#services.update(store, touched), (service) => service.id);

    const stale = new Set(this.#selectedBy(store, changedPolicies));
    for (const { before, after } of this.#workloads.update(store, touched)) {
      if (before !== undefined) stale.delete(before);
      if (before !== undefined && before.id !== after?.id) workloads.delete(before.id);
      if (after !== undefined) stale.add(after);
    }
    // One number for all that this build regenerates: it only has to differ from those before it.
    let generation: number | undefined;
    for (const workload of stale) {
      const guarded = this.#guard(workload, workloads.get(workload.id), () => (generation ??= this.#ids.next()));
      workloads.set(workload.id, guarded);
    }
    this.#last = Object.freeze({ version: store.version, workloads, services, policies });
    this.#ids.commit();
    return this.#last;
  }

  /** What is wrong with objects that were accepted. */
  problems(): Problem[] {
    const ofPolicies = [...this.#last.policies.values()].flatMap(({ policy }) =>
      policy.conditions
        .filter((condition) => condition.type === "Unsupported" || !condition.status)
        .map(({ message }) => ({ where: `AuthorizationPolicy ${policy.namespace}/${policy.name}`, message })),
    );
    return [...this.#workloads.problems(), ...ofPolicies];
  }

  /** Workloads as they are before the change, some of which it may replace. */
  *#selectedBy(
    store: Store,
    changed: readonly { before: PolicyRevision | undefined; after: PolicyRevision | undefined }[],
  ): Generator<Workload> {
    for (const revision of changed.flatMap(({ before, after }) => [before, after])) {
      if (!revision?.applied) continue;
      const { namespace, labels } = revision.scope;
      const candidates =
        namespace === undefined ? this.#workloads.all() : this.#workloads.inNamespace(store, namespace);
      for (const workload of candidates) if (selects(labels, workload.labels)) yield workload;
    }
  }

  #guard(workload: Workload, before: GuardedWorkload | undefined, next: () => number): GuardedWorkload {
    const guards = workload.captured ? this.#policies.select(workload.namespace, workload.labels) : [];
    const policies = guards.map(({ policy }) => policy.id);
    const same = before !== undefined && equal(before.policies, policies);
    if (same && before.workload === workload) return before;
    // Verdicts are cached, and live connections checked, where the destination runs.
    const enforced = workload.captured && workload.local;
    const kept = same ? before.generation : 0;
    return Object.freeze({
      workload,
      generation: enforced ? kept || next() : 0,
      policies,
      portSensitive: guards.some((guard) => guard.namesPorts),
    });
  }
}

function replaceById<Value>(
  values: Map<number, Value>,
  changes: readonly { before: Value | undefined; after: Value | undefined }[],
  idOf: (value: Value) => number,
): void {
  for (const { before } of changes) if (before !== undefined) values.delete(idOf(before));
  for (const { after } of changes) if (after !== undefined) values.set(idOf(after), after);
}

const equal = (left: readonly number[], right: readonly number[]): boolean =>
  left.length === right.length && left.every((value, index) => value === right[index]);
