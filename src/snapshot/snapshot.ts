// The compiled desired state of this node at one version: immutable, and equal parts of two versions are one object.
import type { Service } from "../mesh/service.ts";
import type { Workload } from "../mesh/workload.ts";
import type { PolicyRevision } from "../policy/policies.ts";

/** A workload and what guards it. */
export interface GuardedWorkload {
  readonly workload: Workload;
  /**
   * Another number whenever the policies that guard it change or it joins the mesh, higher than all before it. 0 for a
   * workload that runs on another node or is not captured: nothing is cached for it here.
   */
  readonly generation: number;
  /** Ids of the policies that select it, dry-run ones included; none where it is not captured. */
  readonly policies: readonly number[];
  /** One of them names ports, so verdicts are cached for each port. */
  readonly portSensitive: boolean;
}

export interface Snapshot {
  readonly version: number;
  /** All three by id. Policies that are not applied are here, too, for what they tell the user. */
  readonly workloads: ReadonlyMap<number, GuardedWorkload>;
  readonly services: ReadonlyMap<number, Service>;
  readonly policies: ReadonlyMap<number, PolicyRevision>;
}

export const emptySnapshot: Snapshot = Object.freeze({
  version: 0,
  workloads: new Map(),
  services: new Map(),
  policies: new Map(),
});
