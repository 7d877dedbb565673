// Signs leaves: how long they last, and what the caller gets beside them. Who may have one is the issuer's business.
import { BACKDATE, makeLeaf } from "./certificate.ts";
import { Refusal } from "./refusal.ts";
import type { SignerSource } from "./signer.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import type { JsonGeneralNames, PublicKey } from "./x509.ts";

export interface AuthorityOptions {
  readonly source: SignerSource;
  /** What a caller gets who asks for no lifetime. Seconds. */
  readonly defaultTtl: number;
  /** Who asks for more is refused. Seconds. */
  readonly maxTtl: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface Issued {
  /** PEM: the certificate, then intermediates; the last entry holds all roots. */
  readonly chain: readonly string[];
  /** Hexadecimal. */
  readonly serial: string;
  readonly notAfter: Date;
}

export class Authority {
  readonly #options: AuthorityOptions;

  constructor(options: AuthorityOptions) {
    this.#options = options;
  }

  /** ttl: seconds, 0 for the default. Throws Refusal, and AUTHORITY_UNUSABLE when there is nothing to sign with. */
  signWorkload(publicKey: PublicKey, id: SpiffeId, ttl: number): Promise<Issued> {
    return this.#sign(publicKey, [{ type: "url", value: id }], this.#lifetime(ttl));
  }

  /** For a server of Weir's own, by host names and addresses. Throws AUTHORITY_UNUSABLE. */
  signServer(publicKey: PublicKey, names: JsonGeneralNames): Promise<Issued> {
    return this.#sign(publicKey, names, this.#options.defaultTtl);
  }

  #lifetime(asked: number): number {
    const { defaultTtl, maxTtl } = this.#options;
    if (asked === 0) return defaultTtl;
    if (Number.isInteger(asked) && asked > 0 && asked <= maxTtl) return asked;
    throw new Refusal("ttl_unacceptable", `a certificate may be asked for 1 to ${maxTtl} seconds, not for ${asked}`);
  }

  async #sign(publicKey: PublicKey, names: JsonGeneralNames, ttl: number): Promise<Issued> {
    const now = this.#options.now();
    const signer = await this.#options.source.signerUntil(now + ttl * 1000);
    const notAfter = Math.min(now + ttl * 1000, signer.certificate.notAfter.getTime());
    if (notAfter <= now) throw new Refusal("authority_unusable", "the authority's own certificate has expired");
    const leaf = await makeLeaf(signer, { publicKey, names, notBefore: now - BACKDATE, notAfter });
    const chain = [leaf.toString("pem"), ...signer.intermediates].map(asBlock);
    return {
      chain: [...chain, signer.roots.map(asBlock).join("")],
      serial: leaf.serialNumber,
      notAfter: leaf.notAfter,
    };
  }
}

const asBlock = (pem: string): string => `${pem.trim()}\n`;
