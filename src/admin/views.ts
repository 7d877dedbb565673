// Mesh values as the admin interface prints them: addresses as text, what is internal left out.
import { formatAddress } from "../mesh/address.ts";
import type { Service } from "../mesh/service.ts";
import { spiffeId, type Workload } from "../mesh/workload.ts";
import type { Policy } from "../policy/policy.ts";

export interface WorkloadView {
  readonly id: number;
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly addresses: readonly string[];
  readonly identity: string;
  readonly workload: { readonly kind: string; readonly name: string };
  readonly labels: Readonly<Record<string, string>>;
  readonly ready: boolean;
  readonly local: boolean;
  readonly captured: boolean;
  /** Why it is not, when it asked to be. */
  readonly notCaptured?: string;
}

export interface ServiceView {
  readonly namespace: string;
  readonly name: string;
  readonly addresses: readonly string[];
  readonly ports: readonly { readonly name: string; readonly port: number; readonly endpoints: readonly string[] }[];
  readonly affinitySeconds: number;
}

export interface PolicyView {
  readonly namespace: string;
  readonly name: string;
  readonly action: string;
  readonly dryRun: boolean;
  readonly rules: readonly string[];
  readonly conditions: readonly {
    readonly type: string;
    readonly status: boolean;
    readonly reason: string;
    readonly message: string;
  }[];
}

export const workloadView = (workload: Workload): WorkloadView => ({
  id: workload.id,
  namespace: workload.namespace,
  name: workload.name,
  node: workload.node,
  addresses: workload.addresses.map(formatAddress),
  identity: spiffeId(workload),
  workload: workload.owner,
  labels: workload.labels,
  ready: workload.ready,
  local: workload.local,
  captured: workload.captured,
  ...(workload.notCaptured !== undefined && { notCaptured: workload.notCaptured }),
});

export const serviceView = (service: Service): ServiceView => ({
  namespace: service.namespace,
  name: service.name,
  addresses: service.addresses.map(formatAddress),
  ports: service.ports.map(({ name, port, endpoints }) => ({
    name,
    port,
    endpoints: endpoints.map((endpoint) => hostPort(formatAddress(endpoint.address), endpoint.port)),
  })),
  affinitySeconds: service.affinitySeconds,
});

export const policyView = (policy: Policy): PolicyView => ({
  namespace: policy.namespace,
  name: policy.name,
  action: policy.action,
  dryRun: policy.dryRun,
  rules: policy.rulesText,
  conditions: policy.conditions,
});

export const hostPort = (address: string, port: number): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
