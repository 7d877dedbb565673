// SPIFFE ids of workloads: spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT.

declare const brand: unique symbol;
/** A well-formed id of a workload, made by this file only. */
export type SpiffeId = string & { readonly [brand]: true };

export interface WorkloadIdentity {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** The parts of a workload's id; undefined for anything else, other kinds of SPIFFE ids included. */
export function parseSpiffeId(text: string): WorkloadIdentity | undefined {
  // Names are at most 253 bytes each, so that nothing longer can be one.
  if (text.length > 1024) return undefined;
  const match = pattern.exec(text);
  const [, trustDomain = "", namespace = "", serviceAccount = ""] = match ?? [];
  if (match === null || !isTrustDomain(trustDomain) || !isName(namespace) || !isName(serviceAccount)) return undefined;
  return { trustDomain, namespace, serviceAccount };
}

/** The id of an identity. Throws RangeError when a part is not a name: a slash in one would forge another identity. */
export function printSpiffeId({ trustDomain, namespace, serviceAccount }: WorkloadIdentity): SpiffeId {
  const text = `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
  if (parseSpiffeId(text) === undefined) throw new RangeError(`${JSON.stringify(text)} is not a workload's SPIFFE id`);
  return text as SpiffeId;
}

/** By SPIFFE's rule: lower-case letters, digits, "-", "_" and ".". */
export const isTrustDomain = (text: string): boolean =>
  text.length <= 255 && /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/.test(text);

const isName = (text: string): boolean => text.length <= 253 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(text);

const pattern = /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/;
