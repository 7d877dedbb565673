// A certificate signing request. Only its key counts: names and extensions in it are claims of the caller's.
import { keyObstacle } from "./key.ts";
import { Refusal } from "./refusal.ts";
import { Pkcs10CertificateRequest, type PublicKey } from "./x509.ts";

/** The longest request that is read, in characters. An RSA key of 8192 bits makes one of about 6,000. */
const LONGEST = 16_384;

/** The key of a PEM request that proves to have its private half. Throws Refusal. */
export async function readRequestedKey(pem: string): Promise<PublicKey> {
  const request = parse(pem);
  const obstacle = keyObstacle(Buffer.from(request.publicKey.rawData));
  if (obstacle !== undefined) throw new Refusal("key_unacceptable", `the key will not be certified: ${obstacle}`);
  if (!(await verifies(request)))
    throw new Refusal("csr_malformed", "the signing request is not signed by the key it names");
  return request.publicKey;
}

function parse(pem: string): Pkcs10CertificateRequest {
  const body =
    /^\s*-----BEGIN (NEW )?CERTIFICATE REQUEST-----\s([A-Za-z0-9+/=\s]+)-----END \1?CERTIFICATE REQUEST-----\s*$/;
  const base64 = pem.length <= LONGEST ? body.exec(pem)?.[2] : undefined;
  try {
    if (base64 !== undefined) return new Pkcs10CertificateRequest(Buffer.from(base64, "base64"));
  } catch {
    // The sentence below says it; what the parser stumbled over helps nobody.
  }
  throw new Refusal("csr_malformed", "the signing request is not one PKCS #10 request in PEM of at most 16 KiB");
}

async function verifies(request: Pkcs10CertificateRequest): Promise<boolean> {
  try {
    return await request.verify();
  } catch {
    return false;
  }
}
