// The snapshot as rows of the kernel's tables.
import { isMapped } from "../mesh/address.ts";
import type { Service } from "../mesh/service.ts";
import type { ServiceRow, WorkloadRow } from "../native/datapath.ts";
import type { GuardedWorkload } from "./snapshot.ts";

/** enum workload_flag of bpf/abi.h. */
export const WorkloadFlag = { service: 1, local: 2, captured: 4, portSensitive: 8 } as const;

/** Where the kernel found a captured pod of this node. */
export interface Binding {
  readonly cookie: bigint;
  readonly ifindex: number;
}

/** A row for each address of a workload. Without a binding its clients reach it through the node proxy. */
export function workloadRows(guarded: GuardedWorkload, binding: Binding | undefined): WorkloadRow[] {
  const { workload, generation, portSensitive } = guarded;
  const flags =
    (workload.local ? WorkloadFlag.local : 0) |
    (workload.captured ? WorkloadFlag.captured : 0) |
    (portSensitive ? WorkloadFlag.portSensitive : 0);
  return workload.addresses.map((address) => ({
    address,
    workload: workload.id,
    flags,
    generation,
    cookie: binding?.cookie ?? 0n,
    ifindex: binding?.ifindex ?? 0,
  }));
}

/** Rows that make the kernel look up a Service where one of its addresses is dialled. */
export const serviceAddressRows = (service: Service): WorkloadRow[] =>
  service.addresses.map((address) => ({
    ...{ address, workload: 0, flags: WorkloadFlag.service, generation: 0, cookie: 0n, ifindex: 0 },
  }));

/** A row for each address and port of a Service, with the endpoints of the address's family. */
export const serviceRows = (service: Service): ServiceRow[] =>
  service.addresses.flatMap((address) =>
    service.ports.map(({ port, endpoints }) => ({
      address,
      port,
      service: service.id,
      affinitySeconds: service.affinitySeconds,
      endpoints: endpoints.filter((endpoint) => isMapped(endpoint.address) === isMapped(address)),
    })),
  );

/** Addresses as text that can be a key. */
export const addressKey = (address: Uint8Array): string => Buffer.from(address).toString("hex");
