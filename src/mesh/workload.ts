// A pod as the mesh sees it.

export type Failure = "closed" | "open";

export interface Workload {
  /** Assigned by this agent, never reused; what kernel and proxy know the workload by. */
  readonly id: number;
  /** Kubernetes UID, or namespace/name where the source gives none. */
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly trustDomain: string;
  readonly node: string;
  /** As 16 bytes; the first of each family is the pod's address in that family. */
  readonly addresses: readonly Uint8Array[];
  /** Path of its network namespace, when the source knows it. */
  readonly netns: string | undefined;
  readonly ready: boolean;
  readonly hostNetwork: boolean;
  /** What made the pod, for metrics and flows: a Deployment's name rather than a ReplicaSet's. */
  readonly owner: { readonly kind: string; readonly name: string };
  /** Named container ports, and all of them for filling verdicts ahead. */
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  /** Runs on this agent's node. */
  readonly local: boolean;
  readonly captured: boolean;
  /** Why a workload that asked for capture is not captured. */
  readonly notCaptured: string | undefined;
  readonly failure: Failure;
}

/** spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT */
export const spiffeId = (workload: Pick<Workload, "trustDomain" | "namespace" | "serviceAccount">): string =>
  `spiffe://${workload.trustDomain}/ns/${workload.namespace}/sa/${workload.serviceAccount}`;

/**
 * Whether the local end of a connection is its server's, as far as ports can tell: ports that pods say they serve
 * decide, else the lower one, as ephemeral ports are high.
 */
export function isServerEnd(
  local: Workload,
  localPort: number,
  remote: Workload | undefined,
  remotePort: number,
): boolean {
  if (local.ports.some(({ port }) => port === localPort)) return true;
  if (remote?.ports.some(({ port }) => port === remotePort)) return false;
  return localPort < remotePort;
}
