import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { Authority } from "../../src/identity/authority.ts";
import { GivenAuthority } from "../../src/identity/given-authority.ts";
import { generateKey } from "../../src/identity/key.ts";
import { printSpiffeId } from "../../src/identity/spiffe-id.ts";
import { PublicKey } from "../../src/identity/x509.ts";
import { scratch } from "../helpers/resources.ts";
import { type KeyKind, keyKinds, openssl, partsOf, textOf, verify } from "./openssl.ts";

const id = printSpiffeId({ trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" });

interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate made by openssl; signed by itself unless a signer is given. */
function made(
  t: ExecutionContext,
  name: string,
  options: { by?: Pair; ca?: boolean; kind?: KeyKind; days?: number } = {},
): Pair {
  const directory = scratch(t);
  const file = (part: string) => join(directory, part);
  openssl("genpkey", ...keyKinds[options.kind ?? "ECDSA P-256"], "-out", file("key"));
  const extensions = options.ca === false ? "basicConstraints=critical,CA:FALSE" : "basicConstraints=critical,CA:TRUE";
  const usage = ["-addext", extensions, "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
  openssl("req", "-new", "-key", file("key"), "-subj", `/CN=${name}`, ...usage, "-out", file("csr"));
  const days = ["-days", String(options.days ?? 30), "-copy_extensions", "copyall"];
  if (options.by === undefined)
    openssl("x509", "-req", "-in", file("csr"), "-signkey", file("key"), ...days, "-out", file("crt"));
  else {
    writeFileSync(file("by.crt"), options.by.certificate);
    writeFileSync(file("by.key"), options.by.key);
    const signer = ["-CA", file("by.crt"), "-CAkey", file("by.key"), "-CAcreateserial"];
    execFileSync("openssl", ["x509", "-req", "-in", file("csr"), ...signer, ...days, "-out", file("crt")], {
      stdio: "ignore",
    });
  }
  return { certificate: readFileSync(file("crt"), "utf8"), key: readFileSync(file("key"), "utf8") };
}

/** A mounted Secret: its files are links into a directory that is swapped as a whole. */
function secret(directory: string, round: number, ca: string, chain: string, key: string): void {
  const version = join(directory, `..round-${round}`);
  mkdirSync(version);
  for (const [name, text] of Object.entries({ "ca.crt": ca, "tls.crt": chain, "tls.key": key })) {
    writeFileSync(join(version, name), text);
    if (round === 0) symlinkSync(join("..data", name), join(directory, name));
  }
  symlinkSync(`..round-${round}`, join(directory, "..next"));
  renameSync(join(directory, "..next"), join(directory, "..data"));
}

async function signing(directory: string) {
  const source = new GivenAuthority({ directory, now: Date.now });
  const authority = new Authority({ source, defaultTtl: 3600, maxTtl: 90 * 24 * 3600, now: Date.now });
  const key = await PublicKey.create(generateKey().publicKey);
  return { source, sign: async (ttl = 0) => partsOf((await authority.signWorkload(key, id, ttl)).chain) };
}

for (const kind of ["ECDSA P-256", "ECDSA P-384", "RSA 2048", "Ed25519"] as const) {
  test(`leaves are signed by a given intermediate with a key of ${kind}`, async (t) => {
    const directory = scratch(t);
    const root = made(t, "root", { kind });
    const between = made(t, "between", { by: root, kind });
    secret(directory, 0, root.certificate, between.certificate, between.key);
    const chain = await (await signing(directory)).sign();
    t.is(verify(t, chain), "");
    t.is(chain.intermediates.length, 1);
    t.is(chain.roots, root.certificate);
  });
}

test("a root that signs by itself is not among the intermediates", async (t) => {
  const directory = scratch(t);
  const root = made(t, "root");
  secret(directory, 0, root.certificate, root.certificate, root.key);
  const chain = await (await signing(directory)).sign();
  t.deepEqual(chain.intermediates, []);
  t.is(verify(t, chain), "");
});

test("a leaf ends with its signer at the latest", async (t) => {
  const directory = scratch(t);
  const root = made(t, "root", { days: 2 });
  secret(directory, 0, root.certificate, root.certificate, root.key);
  const chain = await (await signing(directory)).sign(10 * 24 * 3600);
  const end = (pem: string) => /Not After : .*/.exec(textOf(pem))![0];
  t.is(end(chain.leaf), end(root.certificate));
});

test("files that change are used from the next signature on, with all roots of the overlap", async (t) => {
  const directory = scratch(t);
  const [old, next] = [made(t, "old"), made(t, "next")];
  secret(directory, 0, old.certificate, old.certificate, old.key);
  const { sign } = await signing(directory);
  const before = await sign();
  secret(directory, 1, old.certificate + next.certificate, old.certificate, old.key);
  const during = await sign();
  t.is(during.roots, old.certificate + next.certificate);
  secret(directory, 2, old.certificate + next.certificate, next.certificate, next.key);
  const after = await sign();
  t.is(verify(t, { ...before, roots: after.roots }), "");
  t.is(verify(t, { ...after, roots: during.roots }), "");
  t.not(verify(t, { ...after, roots: before.roots }), "");
});

const unusable: Record<string, (t: ExecutionContext, root: Pair) => readonly [string, string, string, RegExp]> = {
  "a key of another certificate": (t, root) => [root.certificate, root.certificate, made(t, "x").key, /not the key of/],
  "a certificate that may not sign": (t, root) => {
    const leaf = made(t, "leaf", { by: root, ca: false });
    return [root.certificate, leaf.certificate, leaf.key, /may not sign others/];
  },
  "a chain that leads to no root": (t, root) => {
    const stranger = made(t, "stranger");
    return [
      root.certificate,
      stranger.certificate,
      stranger.key,
      /nothing in tls.crt and ca.crt has signed CN=stranger/,
    ];
  },
  "garbage for a key": (_, root) => [root.certificate, root.certificate, "garbage", /the private key cannot be read/],
  "an empty ca.crt": (_, root) => ["", root.certificate, root.key, /ca.crt holds no certificate/],
  "garbage in a certificate": (_, root) => [
    root.certificate,
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    root.key,
    /tls.crt holds a certificate that cannot be read/,
  ],
};

for (const [what, files] of Object.entries(unusable)) {
  test(`${what} is a problem, and the last good files stay in force`, async (t) => {
    const directory = scratch(t);
    const root = made(t, "root");
    secret(directory, 0, root.certificate, root.certificate, root.key);
    const { source, sign } = await signing(directory);
    const before = await sign();
    const [ca, chain, key, why] = files(t, root);
    secret(directory, 1, ca, chain, key);
    t.is((await sign()).roots, before.roots);
    t.regex(source.problem() ?? "", why);
    t.like(await t.throwsAsync(source.upkeep()), { code: "AUTHORITY_UNUSABLE" });
    secret(directory, 2, root.certificate, root.certificate, root.key);
    await source.upkeep();
    t.is(source.problem(), undefined);
  });
}

test("without files nothing is signed, and the first that come are used", async (t) => {
  const directory = scratch(t);
  const { sign } = await signing(directory);
  t.like(await t.throwsAsync(sign()), { code: "AUTHORITY_UNUSABLE" });
  const root = made(t, "root");
  secret(directory, 0, root.certificate, root.certificate, root.key);
  t.is(verify(t, await sign()), "");
});
