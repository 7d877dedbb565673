// A Kubernetes Service and where it leads.

export interface Endpoint {
  readonly address: Uint8Array;
  readonly port: number;
}

export interface ServicePort {
  readonly name: string;
  readonly port: number;
  /** Ready endpoints (all of them with publishNotReadyAddresses), sorted by address and port. */
  readonly endpoints: readonly Endpoint[];
}

export interface Service {
  /** Assigned by this agent, never reused. */
  readonly id: number;
  readonly namespace: string;
  readonly name: string;
  /** Cluster addresses as 16 bytes; empty for a headless Service. */
  readonly addresses: readonly Uint8Array[];
  readonly ports: readonly ServicePort[];
  /** 0 without session affinity. */
  readonly affinitySeconds: number;
}
