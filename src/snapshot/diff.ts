// What leads from one snapshot to the next: the smallest set of writes. Pure.
import type { Service } from "../mesh/service.ts";
import type { PolicyRevision } from "../policy/policies.ts";
import type { GuardedWorkload, Snapshot } from "./snapshot.ts";

export interface SnapshotChange {
  readonly previous: Snapshot;
  readonly next: Snapshot;
  readonly workloads: Upserts<GuardedWorkload>;
  readonly services: Upserts<Service>;
  /** Applied ones only; a changed policy is one removed and one added. */
  readonly policies: { readonly added: readonly PolicyRevision[]; readonly removed: readonly PolicyRevision[] };
  /** Workloads that were guarded and have another generation now: their live connections must be checked again. */
  readonly regenerated: readonly GuardedWorkload[];
}

interface Upserts<Value> {
  readonly upserted: readonly Value[];
  /** As they last were. */
  readonly removed: readonly Value[];
}

export function diffSnapshots(previous: Snapshot, next: Snapshot): SnapshotChange {
  const workloads = diff(previous.workloads, next.workloads);
  const regenerated = workloads.upserted.filter(({ workload, generation }) => {
    const before = previous.workloads.get(workload.id)?.generation ?? 0;
    return before !== 0 && generation !== 0 && before !== generation;
  });
  const applied = (from: Snapshot, other: Snapshot) =>
    [...from.policies.values()].filter(({ applied, policy }) => applied && !other.policies.has(policy.id));
  return {
    previous,
    next,
    workloads,
    services: diff(previous.services, next.services),
    policies: { added: applied(next, previous), removed: applied(previous, next) },
    regenerated,
  };
}

export const changesNothing = ({ workloads, services, policies }: SnapshotChange): boolean =>
  [workloads.upserted, workloads.removed, services.upserted, services.removed, policies.added, policies.removed].every(
    (list) => list.length === 0,
  );

function diff<Value>(previous: ReadonlyMap<number, Value>, next: ReadonlyMap<number, Value>): Upserts<Value> {
  const upserted: Value[] = [];
  const removed: Value[] = [];
  for (const [id, value] of next) if (previous.get(id) !== value) upserted.push(value);
  for (const [id, value] of previous) if (!next.has(id)) removed.push(value);
  return { upserted, removed };
}
