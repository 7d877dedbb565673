// Certificates as Weir makes them: roots and intermediates of its own authority, and leaves by any signer.
import { randomBytes, type webcrypto } from "node:crypto";
import { generateKey, type SigningKey } from "./key.ts";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "./x509.ts";

/** Clocks of peers may be behind by this much. Milliseconds. */
export const BACKDATE = 10 * 60_000;

/** A certificate that may sign others, with its key. */
export interface Issuing {
  readonly certificate: X509Certificate;
  readonly key: SigningKey;
}

export interface LeafRequest {
  readonly publicKey: PublicKey;
  /** Subject alternative names; critical, for the subject is empty. */
  readonly names: JsonGeneralNames;
  /** Milliseconds since the epoch, both. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A root of its own, with a new key. Times in milliseconds since the epoch. */
export async function makeRoot(trustDomain: string, now: number, notAfter: number): Promise<Issuing> {
  const { key, publicKey } = generateKey();
  const name = `O=${trustDomain}, CN=Weir root ${randomBytes(4).toString("hex")}`;
  const certificate = await X509CertificateGenerator.create({
    ...{ serialNumber: newSerial(), subject: name, issuer: name, publicKey },
    ...validity(now - BACKDATE, notAfter),
    ...{ signingKey: key.key, signingAlgorithm: key.algorithm },
    extensions: await authorityExtensions(trustDomain, publicKey, 1),
  });
  return { certificate, key };
}

/** What signs leaves in a root's place, with a new key. It ends with its root at the latest. */
export async function makeIntermediate(
  trustDomain: string,
  root: Issuing,
  now: number,
  notAfter: number,
): Promise<Issuing> {
  const { key, publicKey } = generateKey();
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: `O=${trustDomain}, CN=Weir intermediate ${randomBytes(4).toString("hex")}`,
    issuer: root.certificate.subjectName,
    publicKey,
    ...validity(now - BACKDATE, Math.min(notAfter, root.certificate.notAfter.getTime())),
    ...{ signingKey: root.key.key, signingAlgorithm: root.key.algorithm },
    extensions: [
      ...(await authorityExtensions(trustDomain, publicKey, 0)),
      await AuthorityKeyIdentifierExtension.create(root.certificate.publicKey),
    ],
  });
  return { certificate, key };
}

/** A certificate that names a workload or a server. */
export async function makeLeaf(signer: Issuing, request: LeafRequest): Promise<X509Certificate> {
  const { publicKey, names, notBefore, notAfter } = request;
  return X509CertificateGenerator.create({
    ...{ serialNumber: newSerial(), issuer: signer.certificate.subjectName, publicKey },
    ...validity(notBefore, notAfter),
    ...{ signingKey: signer.key.key, signingAlgorithm: signer.key.algorithm },
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension(names, true),
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(signer.certificate.publicKey),
    ],
  });
}

async function authorityExtensions(trustDomain: string, publicKey: webcrypto.CryptoKey, pathLength: number) {
  return [
    new BasicConstraintsExtension(true, pathLength, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    // The id of a trust domain itself: SPIFFE asks signing certificates to have it.
    new SubjectAlternativeNameExtension([{ type: "url", value: `spiffe://${trustDomain}` }]),
    await SubjectKeyIdentifierExtension.create(publicKey),
  ];
}

// X.509 has whole seconds; the end is never later than what was asked for.
const validity = (notBefore: number, notAfter: number) => ({
  notBefore: new Date(Math.floor(notBefore / 1000) * 1000),
  notAfter: new Date(Math.floor(notAfter / 1000) * 1000),
});

/** Positive, of 16 bytes always, 126 bits of them random. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString("hex");
}
