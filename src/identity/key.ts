// Keys: those the authority makes (ECDSA P-256), those it is given to sign with, and which ones it certifies.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, type webcrypto } from "node:crypto";
import { reasonOf } from "../errors.ts";

type CryptoKey = webcrypto.CryptoKey;
type Algorithm = webcrypto.EcKeyImportParams & webcrypto.RsaHashedImportParams;

export interface SigningKey {
  readonly key: CryptoKey;
  readonly algorithm: Algorithm;
  /** PKCS #8. */
  readonly pem: string;
  readonly publicKey: KeyObject;
}

/** A new ECDSA P-256 key. */
export function generateKey(): { readonly key: SigningKey; readonly publicKey: CryptoKey } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = signingKey(privateKey);
  return { key, publicKey: publicKey.toCryptoKey(key.algorithm, true, ["verify"]) };
}

/** Throws Error with a sentence when the text is no private key, or of a kind that cannot sign certificates. */
export function readSigningKey(pem: string): SigningKey {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw new Error(`the private key cannot be read: ${reasonOf(error)}`);
  }
  return signingKey(key);
}

/** Why a public key will not be certified; undefined when it will. */
export function keyObstacle(spki: Buffer): string | undefined {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: spki, format: "der", type: "spki" });
  } catch {
    return "it cannot be read";
  }
  const { asymmetricKeyType: type = "unknown", asymmetricKeyDetails: details = {} } = key;
  if (type === "ed25519") return undefined;
  if (type === "ec") return curves[details.namedCurve ?? ""] === undefined ? "its curve is not a NIST one" : undefined;
  if (type !== "rsa") return `keys of type ${type} are not certified: use ECDSA, RSA or Ed25519`;
  const { modulusLength = 0, publicExponent = 0n } = details;
  // The upper bounds keep one request from taking long to check.
  if (modulusLength < 2048 || modulusLength > 8192) return `RSA keys have 2048 to 8192 bits, this one ${modulusLength}`;
  return publicExponent > 0xffff_ffffn ? "its public exponent is too large" : undefined;
}

function signingKey(key: KeyObject): SigningKey {
  const algorithm = algorithmOf(key);
  const pem = key.export({ type: "pkcs8", format: "pem" }) as string;
  return { key: key.toCryptoKey(algorithm, false, ["sign"]), algorithm, pem, publicKey: createPublicKey(key) };
}

function algorithmOf(key: KeyObject): Algorithm {
  const { asymmetricKeyType: type = "unknown", asymmetricKeyDetails: details = {} } = key;
  const curve = curves[details.namedCurve ?? ""];
  if (type === "ec" && curve !== undefined) return { name: "ECDSA", ...curve };
  if (type === "rsa") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", namedCurve: "" };
  if (type === "ed25519") return { name: "Ed25519", hash: "", namedCurve: "" };
  throw new Error(`a private key of type ${type} cannot sign certificates here: use ECDSA, RSA or Ed25519`);
}

const curves: Readonly<Record<string, { readonly namedCurve: string; readonly hash: string }>> = {
  prime256v1: { namedCurve: "P-256", hash: "SHA-256" },
  secp384r1: { namedCurve: "P-384", hash: "SHA-384" },
  secp521r1: { namedCurve: "P-521", hash: "SHA-512" },
};
