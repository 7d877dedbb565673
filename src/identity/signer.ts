// What signs at the moment, and for whom its signature means something.
import type { Issuing } from "./certificate.ts";

export interface Signer extends Issuing {
  /** PEM: the signing certificate and those between it and the root; nothing when a root signs itself. */
  readonly intermediates: readonly string[];
  /** PEM of every root peers shall trust. */
  readonly roots: readonly string[];
}

/** Where the signer comes from: a state directory, or files somebody else keeps. */
export interface SignerSource {
  /**
   * The signer for leaves that end by then (milliseconds since the epoch). Throws AUTHORITY_UNUSABLE when there is none.
   */
  signerUntil(notAfter: number): Promise<Signer>;
  /** Does what has become due. Throws AUTHORITY_UNUSABLE; what is in force stays so. */
  upkeep(): Promise<void>;
  /** What is wrong now while an earlier state is in force; undefined when nothing is. */
  problem(): string | undefined;
  /** PEM of every root peers shall trust. */
  roots(): Promise<readonly string[]>;
}
