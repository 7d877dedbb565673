// The parts of weir.snapshot.Policy (proto/weir/snapshot.proto) as plain objects, ready to be encoded.

export type StringMatch =
  | { readonly exact: string }
  | { readonly prefix: string }
  | { readonly suffix: string }
  | { readonly present: true };

export interface Cidr {
  readonly address: Uint8Array;
  /** Of 128. */
  readonly bits: number;
}

export interface ServiceAccount {
  readonly namespace: string;
  readonly name: string;
}

export interface Source {
  readonly principals?: readonly StringMatch[];
  readonly notPrincipals?: readonly StringMatch[];
  readonly namespaces?: readonly StringMatch[];
  readonly notNamespaces?: readonly StringMatch[];
  readonly serviceAccounts?: readonly ServiceAccount[];
  readonly notServiceAccounts?: readonly ServiceAccount[];
  readonly ipBlocks?: readonly Cidr[];
  readonly notIpBlocks?: readonly Cidr[];
}

export interface Operation {
  readonly ports?: readonly number[];
  readonly notPorts?: readonly number[];
}

export const ConditionKey = {
  "source.ip": 0,
  "source.namespace": 1,
  "source.principal": 2,
  "destination.ip": 3,
  "destination.port": 4,
} as const;

export interface Condition {
  readonly key: number;
  readonly values?: readonly StringMatch[];
  readonly notValues?: readonly StringMatch[];
  readonly blocks?: readonly Cidr[];
  readonly notBlocks?: readonly Cidr[];
  readonly ports?: readonly number[];
  readonly notPorts?: readonly number[];
}

/** Empty lists mean any. */
export interface Rule {
  readonly index: number;
  readonly from: readonly Source[];
  readonly to: readonly Operation[];
  readonly when: readonly Condition[];
}
