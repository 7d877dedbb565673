// An independent maker of requests and judge of chains: the openssl command.
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { scratch } from "../helpers/resources.ts";

/** Arguments of `openssl genpkey` for a kind of key. */
export const keyKinds = {
  "ECDSA P-256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  "ECDSA P-384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
  "RSA 2048": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
  Ed25519: ["-algorithm", "ED25519"],
  "RSA 1024": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
  "ECDSA secp256k1": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
  Ed448: ["-algorithm", "ED448"],
} as const;

export type KeyKind = keyof typeof keyKinds;

/** A signing request in PEM, with names that the authority has to ignore. */
export function signingRequest(t: ExecutionContext, kind: KeyKind = "ECDSA P-256"): { csr: string; keyFile: string } {
  const keyFile = join(scratch(t), "key.pem");
  openssl("genpkey", ...keyKinds[kind], "-out", keyFile);
  const claimed = [
    "-subj",
    "/O=evil/CN=evil",
    "-addext",
    "subjectAltName=URI:spiffe://cluster.local/ns/kube-system/sa/root",
  ];
  return { csr: openssl("req", "-new", "-key", keyFile, ...claimed), keyFile };
}

export interface Verification {
  readonly leaf: string;
  readonly intermediates?: readonly string[];
  readonly roots: string;
  /** Milliseconds since the epoch; default: now. */
  readonly at?: number;
}

/** What `openssl verify` says: "" when the chain is good, both for a server and for a client. */
export function verify(t: ExecutionContext, { leaf, intermediates = [], roots, at }: Verification): string {
  const directory = scratch(t);
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const time = at === undefined ? [] : ["-attime", String(Math.floor(at / 1000))];
  const untrusted = intermediates.length === 0 ? [] : ["-untrusted", file("between.pem", intermediates.join(""))];
  const chain = ["-CAfile", file("roots.pem", roots), ...untrusted, file("leaf.pem", leaf)];
  return ["sslserver", "sslclient"]
    .map((purpose) =>
      spawnSync("openssl", ["verify", "-x509_strict", "-purpose", purpose, ...time, ...chain], { encoding: "utf8" }),
    )
    .map(({ status, stderr }) => (status === 0 ? "" : stderr))
    .join("");
}

/** The chain of an answer, in its parts. */
export const partsOf = (chain: readonly string[]) => ({
  leaf: chain[0]!,
  intermediates: chain.slice(1, -1),
  roots: chain.at(-1)!,
});

/** What openssl reads in a certificate. */
export const textOf = (pem: string): string =>
  execFileSync("openssl", ["x509", "-noout", "-text"], { input: pem, encoding: "utf8" });

export const openssl = (...args: string[]): string =>
  execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
