// Who the ids in records and verdicts are. Departed workloads and old policy revisions are remembered for a while,
// bounded, so that the last records of a connection still have names.
import type { Policy } from "../policy/policy.ts";
import type { Service } from "./service.ts";
import type { Workload } from "./workload.ts";

export interface Names {
  workload(id: number): Workload | undefined;
  /** The workload that has this address now. */
  workloadAt(address: Uint8Array): Workload | undefined;
  service(id: number): Service | undefined;
  policy(id: number): Policy | undefined;
}
