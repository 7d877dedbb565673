// An authority whose signing certificate somebody else keeps in files: ca.crt, tls.crt and tls.key, as cert-manager writes
// a Secret. They are read again when they change; what cannot be used leaves the last good ones in force.
import { X509Certificate as NodeCertificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { reasonOf, WeirError } from "../errors.ts";
import { readSigningKey } from "./key.ts";
import type { Signer, SignerSource } from "./signer.ts";
import { X509Certificate } from "./x509.ts";

export interface GivenAuthorityOptions {
  readonly directory: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const files = ["ca.crt", "tls.crt", "tls.key"] as const;

export class GivenAuthority implements SignerSource {
  readonly #options: GivenAuthorityOptions;
  #signature: string | undefined;
  #signer: Signer | undefined;
  #problem: string | undefined;

  constructor(options: GivenAuthorityOptions) {
    this.#options = options;
  }

  async signerUntil(): Promise<Signer> {
    this.#refresh();
    if (this.#signer !== undefined) return this.#signer;
    throw this.#unusable(this.#problem);
  }

  async upkeep(): Promise<void> {
    this.#refresh();
    if (this.#problem !== undefined) throw this.#unusable(this.#problem);
  }

  problem(): string | undefined {
    return this.#problem;
  }

  async roots(): Promise<readonly string[]> {
    return (await this.signerUntil()).roots;
  }

  #refresh(): void {
    const signature = files.map((name) => this.#stat(name)).join();
    if (signature === this.#signature && this.#problem === undefined) return;
    try {
      const [roots, chain, key] = files.map((name) => this.#read(name)) as [string, string, string];
      this.#signer = signerOf(roots, chain, key, this.#options.now());
      this.#problem = undefined;
    } catch (error) {
      // Files of a Secret are swapped together, but read one by one: the next look sees them whole.
      this.#problem = reasonOf(error);
    }
    this.#signature = signature;
  }

  #stat(name: string): string {
    const stats = statSync(join(this.#options.directory, name), { bigint: true, throwIfNoEntry: false });
    return stats === undefined ? "" : `${stats.ino} ${stats.size} ${stats.mtimeNs}`;
  }

  #read(name: string): string {
    try {
      return readFileSync(join(this.#options.directory, name), "utf8");
    } catch (error) {
      throw new Error(`${name}: ${reasonOf(error)}`);
    }
  }

  #unusable(why = "nothing was read yet"): WeirError {
    return new WeirError("AUTHORITY_UNUSABLE", { directory: this.#options.directory, why });
  }
}

/** Throws Error with a sentence when the three do not make an authority. */
function signerOf(rootsText: string, chainText: string, keyText: string, now: number): Signer {
  const roots = certificatesIn("ca.crt", rootsText);
  const chain = certificatesIn("tls.crt", chainText);
  const key = readSigningKey(keyText);
  const [signing] = chain as [NodeCertificate, ...NodeCertificate[]];
  if (!signing.publicKey.equals(key.publicKey))
    throw new Error("tls.key is not the key of the first certificate in tls.crt");
  if (!chain.every(({ ca }) => ca)) throw new Error("tls.crt holds a certificate that may not sign others");
  for (const certificate of [...chain, ...roots])
    if (Date.parse(certificate.validTo) <= now) throw new Error(`${certificate.subject} has expired`);
  const above = [...chain.slice(1), roots];
  for (const [index, certificate] of chain.entries()) {
    const candidates = [above[index] ?? []].flat();
    const known = roots.some(({ fingerprint256 }) => fingerprint256 === certificate.fingerprint256);
    if (!known && !candidates.some((upper) => certificate.checkIssued(upper) && certificate.verify(upper.publicKey)))
      throw new Error(`nothing in tls.crt and ca.crt has signed ${certificate.subject}`);
  }
  const isRoot = ({ fingerprint256 }: NodeCertificate) => roots.some((root) => root.fingerprint256 === fingerprint256);
  return {
    certificate: new X509Certificate(signing.raw),
    key,
    intermediates: chain.filter((certificate) => !isRoot(certificate)).map(String),
    roots: roots.map(String),
  };
}

function certificatesIn(name: string, text: string): NodeCertificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error(`${name} holds no certificate in PEM`);
  return blocks.map((block) => {
    try {
      return new NodeCertificate(block);
    } catch (error) {
      throw new Error(`${name} holds a certificate that cannot be read: ${reasonOf(error)}`);
    }
  });
}
