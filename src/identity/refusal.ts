// Why a certificate was not signed. Each reason is a label value of weir_ca_requests_refused_total.

export const refusalReasons = [
  "unauthenticated",
  "token_expired",
  "csr_malformed",
  "key_unacceptable",
  "ttl_unacceptable",
  "identity_missing",
  "identity_malformed",
  "uid_missing",
  "uid_ambiguous",
  "pod_unknown",
  "wrong_node",
  "not_captured",
  "wrong_identity",
  "rate",
  "busy",
  "authority_unusable",
] as const;

export type RefusalReason = (typeof refusalReasons)[number];

export class Refusal extends Error {
  readonly reason: RefusalReason;
  /** For the audit line only: what a compromised node must not learn. */
  readonly detail: string | undefined;

  /** message: a sentence for the caller. */
  constructor(reason: RefusalReason, message: string, detail?: string) {
    super(message);
    this.name = "Refusal";
    this.reason = reason;
    this.detail = detail;
  }
}
