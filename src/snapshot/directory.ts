// Implements Names: who is known now, and, bounded, who was.

import { addressKey } from "../mesh/claims.ts";
import type { Names } from "../mesh/names.ts";
import type { Service } from "../mesh/service.ts";
import type { Workload } from "../mesh/workload.ts";
import type { Policy } from "../policy/policy.ts";
import type { SnapshotChange } from "./diff.ts";
import { emptySnapshot, type Snapshot } from "./snapshot.ts";

export class Directory implements Names {
  readonly #byAddress = new Map<string, number>();
  readonly #departedWorkloads: Departed<Workload>;
  readonly #departedServices: Departed<Service>;
  readonly #departedPolicies: Departed<Policy>;
  #snapshot: Snapshot = emptySnapshot;

  /** Remembers up to `capacity` departed ones of each sort. */
  constructor(capacity = 4096) {
    this.#departedWorkloads = new Departed(capacity);
    this.#departedServices = new Departed(capacity);
    this.#departedPolicies = new Departed(capacity);
  }

  workload(id: number): Workload | undefined {
    return this.#snapshot.workloads.get(id)?.workload ?? this.#departedWorkloads.get(id);
  }

  workloadAt(address: Uint8Array): Workload | undefined {
    const id = this.#byAddress.get(addressKey(address));
    return id === undefined ? undefined : this.#snapshot.workloads.get(id)?.workload;
  }

  service(id: number): Service | undefined {
    return this.#snapshot.services.get(id) ?? this.#departedServices.get(id);
  }

  policy(id: number): Policy | undefined {
    return this.#snapshot.policies.get(id)?.policy ?? this.#departedPolicies.get(id);
  }

  update(change: SnapshotChange): void {
    const { previous, next } = change;
    for (const { workload } of change.workloads.removed) {
      this.#departedWorkloads.add(workload.id, workload);
      this.#dropAddresses(workload);
    }
    const changed = change.workloads.upserted
      .map(({ workload }) => ({ workload, before: previous.workloads.get(workload.id)?.workload }))
      .filter(({ workload, before }) => workload !== before);
    for (const { before } of changed) if (before !== undefined) this.#dropAddresses(before);
    for (const { workload } of changed) {
      for (const address of workload.addresses) this.#byAddress.set(addressKey(address), workload.id);
    }
    for (const service of change.services.removed) this.#departedServices.add(service.id, service);
    for (const [id, { policy }] of previous.policies)
      if (!next.policies.has(id)) this.#departedPolicies.add(id, policy);
    this.#snapshot = next;
  }

  #dropAddresses(workload: Workload): void {
    for (const address of workload.addresses) {
      const key = addressKey(address);
      if (this.#byAddress.get(key) === workload.id) this.#byAddress.delete(key);
    }
  }
}

/** The last ones that left, oldest forgotten first. */
class Departed<Value> {
  readonly #capacity: number;
  readonly #values = new Map<number, Value>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(id: number): Value | undefined {
    return this.#values.get(id);
  }

  add(id: number, value: Value): void {
    this.#values.delete(id);
    this.#values.set(id, value);
    for (const oldest of this.#values.keys()) {
      if (this.#values.size <= this.#capacity) break;
      this.#values.delete(oldest);
    }
  }
}
