// A change of the snapshot as weir.snapshot.Delta bytes.

import { messageType } from "../policy/messages.ts";
import type { PolicyRevision } from "../policy/policies.ts";
import type { PolicyAction } from "../policy/policy.ts";
import { diffSnapshots, type SnapshotChange } from "./diff.ts";
import { emptySnapshot, type GuardedWorkload, type Snapshot } from "./snapshot.ts";

export interface Limits {
  readonly connectionsPerPod: number;
  readonly dialTimeoutMs: number;
  readonly drainMs: number;
}

/** What leads a receiver that has `change.previous` to `change.next`. */
export const encodeChange = (change: SnapshotChange, limits?: Limits): Uint8Array => encode(change, false, limits);

/** The whole snapshot, for a receiver that is to forget what it had. */
export const encodeSnapshot = (snapshot: Snapshot, limits?: Limits): Uint8Array =>
  encode(diffSnapshots(emptySnapshot, snapshot), true, limits);

function encode(change: SnapshotChange, reset: boolean, limits: Limits | undefined): Uint8Array {
  return messageType("weir.snapshot.Delta")
    .encode({
      version: change.next.version,
      reset,
      workloads: change.workloads.upserted.map(workloadMessage),
      removedWorkloads: change.workloads.removed.map(({ workload }) => workload.id),
      policies: change.policies.added.map(policyMessage),
      removedPolicies: change.policies.removed.map(({ policy }) => policy.id),
      limits,
    })
    .finish();
}

function workloadMessage({ workload, generation, policies, portSensitive }: GuardedWorkload): object {
  const { id, uid, namespace, name, serviceAccount, trustDomain, node, addresses, local, captured } = workload;
  return {
    ...{ id, uid, namespace, name, serviceAccount, trustDomain, node, addresses, local, captured },
    ...{ generation, policies, portSensitive, ports: workload.ports.map(({ port }) => port) },
  };
}

function policyMessage({ policy, rules }: PolicyRevision): object {
  const { id, namespace, name, dryRun } = policy;
  return { id, namespace, name, action: actionNumbers[policy.action], dryRun, rules };
}

/** AUDIT is never sent. */
const actionNumbers: Readonly<Record<Exclude<PolicyAction, "AUDIT">, number> & Partial<Record<"AUDIT", number>>> = {
  ALLOW: 0,
  DENY: 1,
  CUSTOM: 2,
};
