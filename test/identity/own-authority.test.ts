import { spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { WeirError } from "../../src/errors.ts";
import { Authority } from "../../src/identity/authority.ts";
import { generateKey } from "../../src/identity/key.ts";
import { OwnAuthority } from "../../src/identity/own-authority.ts";
import { PrivateDirectory } from "../../src/identity/private-directory.ts";
import { printSpiffeId } from "../../src/identity/spiffe-id.ts";
import { PublicKey } from "../../src/identity/x509.ts";
import { sleep } from "../helpers/eventually.ts";
import { scratch } from "../helpers/resources.ts";
import { partsOf, textOf, verify } from "./openssl.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const id = printSpiffeId({ trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" });

/** An authority in a directory, with a clock that the test moves. */
async function bench(t: ExecutionContext, path = join(scratch(t), "ca"), clock = { at: Date.now() }) {
  const now = () => clock.at;
  const directory = new PrivateDirectory(path);
  const source = await OwnAuthority.open({ directory, trustDomain: "cluster.local", now });
  const authority = new Authority({ source, defaultTtl: 24 * 3600, maxTtl: 90 * 24 * 3600, now });
  const key = await PublicKey.create(generateKey().publicKey);
  const sign = async (ttl = 0) => ({ ...partsOf((await authority.signWorkload(key, id, ttl)).chain), at: clock.at });
  return {
    clock,
    source,
    authority,
    sign,
    path,
    stored: () => JSON.parse(readFileSync(join(path, "authority.json"), "utf8")),
  };
}

const endOf = (pem: string) => Date.parse(new X509Certificate(pem).validTo);

/** What openssl would say of signatures, without a process for each of many pairs. */
function knows(roots: string, { leaf, intermediates }: { leaf: string; intermediates: readonly string[] }): boolean {
  const above = new X509Certificate(intermediates[0]!);
  const trusted = roots.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g)!.map((pem) => new X509Certificate(pem));
  const signed = (lower: X509Certificate, upper: X509Certificate) =>
    lower.checkIssued(upper) && lower.verify(upper.publicKey);
  return signed(new X509Certificate(leaf), above) && trusted.some((root) => signed(above, root));
}

const certificatesIn = (pem: string) => pem.split("BEGIN CERTIFICATE").length - 1;

test("a leaf is what Istio's are, and its chain verifies for server and client", async (t) => {
  const { sign, clock } = await bench(t);
  const chain = await sign();
  t.is(verify(t, chain), "");
  const text = textOf(chain.leaf);
  t.regex(text, /Subject: \n/);
  t.regex(text, /X509v3 Subject Alternative Name: critical\n +URI:spiffe:\/\/cluster\.local\/ns\/shop\/sa\/web\n/);
  t.regex(text, /X509v3 Key Usage: critical\n +Digital Signature, Key Encipherment\n/);
  t.regex(text, /X509v3 Extended Key Usage: \n +TLS Web Server Authentication, TLS Web Client Authentication\n/);
  t.regex(text, /X509v3 Basic Constraints: critical\n +CA:FALSE\n/);
  t.regex(text, /Public-Key: \(256 bit\)/);
  const [from, until] = [/Not Before: (.*)/, /Not After : (.*)/].map((pattern) => Date.parse(pattern.exec(text)![1]!));
  t.true(Math.abs(clock.at - 10 * 60_000 - from!) <= 1000, "ten minutes back");
  t.true(Math.abs(clock.at + DAY - until!) <= 1000, "24 hours");
});

test("serials differ and are positive", async (t) => {
  const { authority } = await bench(t);
  const key = await PublicKey.create(generateKey().publicKey);
  const all = await Promise.all(Array.from({ length: 50 }, () => authority.signWorkload(key, id, 60)));
  t.is(new Set(all.map(({ serial }) => serial)).size, 50);
  for (const { serial } of all) t.regex(serial, /^[4-7][0-9a-f]{31}$/);
});

test("a lifetime over the maximum, a fraction of a second and less than nothing are refused", async (t) => {
  const { sign } = await bench(t);
  await t.notThrowsAsync(sign(90 * 24 * 3600));
  for (const ttl of [90 * 24 * 3600 + 1, -1, 0.5, Number.NaN, 2 ** 53])
    await t.throwsAsync(sign(ttl), { message: /1 to 7776000 seconds/ });
});

test("the state is private, and a start after a stop goes on with the same root", async (t) => {
  const first = await bench(t);
  const before = await first.sign();
  t.is(statSync(first.path).mode & 0o777, 0o700);
  for (const name of readdirSync(first.path)) t.is(statSync(join(first.path, name)).mode & 0o777, 0o600, name);
  const after = await (await bench(t, first.path)).sign();
  t.is(after.roots, before.roots);
  t.deepEqual(after.intermediates, before.intermediates);
});

test("a directory or a key that others may read is refused, with what to do", async (t) => {
  const path = join(scratch(t), "ca");
  mkdirSync(path, { mode: 0o755 });
  chmodSync(path, 0o755);
  const refused = (await t.throwsAsync(bench(t, path))) as WeirError;
  t.is(refused.code, "AUTHORITY_UNUSABLE");
  t.regex(refused.message, /chmod 700/);
  chmodSync(path, 0o700);
  await bench(t, path);
  chmodSync(join(path, "authority.json"), 0o640);
  t.regex((await t.throwsAsync(bench(t, path)))!.message, /chmod 600/);
});

test("a state of another trust domain, or one that is no state, is refused and left as it is", async (t) => {
  const { path } = await bench(t);
  const options = { directory: new PrivateDirectory(path), now: Date.now };
  await t.throwsAsync(OwnAuthority.open({ ...options, trustDomain: "other" }), {
    message: /cluster\.local, not other/,
  });
  for (const text of [
    "",
    "{",
    "[]",
    "null",
    '{"version":2}',
    '{"version":1,"trustDomain":"cluster.local","roots":[{}]}',
  ]) {
    writeFileSync(join(path, "authority.json"), text);
    t.like(await t.throwsAsync(bench(t, path)), { code: "AUTHORITY_UNUSABLE" }, text);
    t.is(readFileSync(join(path, "authority.json"), "utf8"), text);
  }
});

/** A process of its own that runs a script with the parts of the authority. */
function child(script: string, ...args: string[]) {
  const source = new URL("../../src/identity/", import.meta.url).pathname;
  const text = `const { OwnAuthority } = await import("${source}own-authority.ts");
    const { PrivateDirectory } = await import("${source}private-directory.ts"); ${script}`;
  const flags = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", text, ...args];
  return spawn(process.execPath, flags, { stdio: ["ignore", "pipe", "inherit"] });
}

test("authorities that start at once on one directory share one root", async (t) => {
  const path = join(scratch(t), "ca");
  const script = `const directory = new PrivateDirectory(process.argv[1]);
    const own = await OwnAuthority.open({ directory, trustDomain: "cluster.local", now: Date.now });
    console.log(JSON.stringify(await own.roots()));`;
  const answers = Array.from({ length: 4 }, async () => {
    const process = child(script, path);
    const chunks: Buffer[] = [];
    process.stdout.on("data", (chunk) => chunks.push(chunk));
    t.deepEqual(await once(process, "close"), [0, null]);
    return Buffer.concat(chunks).toString();
  });
  t.is(new Set(await Promise.all(answers)).size, 1);
});

test("a process that is killed while it writes leaves the old file or the new, whole", async (t) => {
  const path = join(scratch(t), "ca");
  await bench(t, path);
  const script = `const directory = new PrivateDirectory(process.argv[1]);
    console.log("writing");
    for (;;) for (const letter of "ab") directory.write("state", letter.repeat(4 << 20));`;
  for (let round = 0; round < 6; round++) {
    const writer = child(script, path);
    await once(writer.stdout, "data");
    await sleep(20 + round * 7);
    writer.kill("SIGKILL");
    await once(writer, "close");
    const content = readFileSync(join(path, "state"), "latin1");
    t.is(content, content[0]!.repeat(4 << 20));
  }
  const unfinished = readdirSync(path).filter((name) => name.endsWith(".new"));
  await bench(t, path);
  t.is(readdirSync(path).length, 3 + unfinished.length, "it may be of a writer that lives");
  for (const name of unfinished) utimesSync(join(path, name), 0, 1);
  await bench(t, path);
  t.deepEqual(readdirSync(path).sort(), ["authority.json", "lock", "state"], "what was abandoned is gone");
});

test("a holder of the lock that is killed does not keep the others waiting", async (t) => {
  const path = join(scratch(t), "ca");
  await bench(t, path);
  const script = `const directory = new PrivateDirectory(process.argv[1]);
    await directory.locked(() => { console.log("locked"); return new Promise((resolve) => setTimeout(resolve, 60_000)); });`;
  const holder = child(script, path);
  await once(holder.stdout, "data");
  const opened = bench(t, path);
  t.is(await Promise.race([opened.then(() => "opened"), sleep(300).then(() => "waiting")]), "waiting");
  holder.kill("SIGKILL");
  await t.notThrowsAsync(opened);
});

test("a rotation has no moment at which a valid leaf meets a peer that does not know its root", async (t) => {
  const { clock, source, sign } = await bench(t);
  const leaves = [await sign(), await sign(3 * 24 * 3600)];
  const signsFrom = await source.rotate();
  t.true(signsFrom.getTime() >= clock.at + 3 * DAY, "not before the leaf of three days has run out");
  t.deepEqual(await source.rotate(), signsFrom, "a rotation under way is found, not begun again");
  const phases: string[] = [];
  // A holder of a leaf trusts the roots that came with it.
  for (const end = clock.at + 8 * DAY; clock.at < end; clock.at += 5 * HOUR) {
    await source.upkeep();
    const fresh = await sign();
    leaves.push(fresh);
    const newest = fresh.roots.slice(fresh.roots.lastIndexOf("-----BEGIN"));
    const both = certificatesIn(fresh.roots) === 2;
    const phase = both ? `two roots, the ${knows(newest, fresh) ? "new" : "old"} one signs` : "one root";
    if (phases.at(-1) !== phase) {
      phases.push(phase);
      t.is(verify(t, { ...fresh, at: clock.at }), "");
      t.is(verify(t, { ...fresh, roots: leaves.at(-2)!.roots, at: clock.at }), "");
    }
    for (const leaf of leaves.filter((known) => clock.at < endOf(known.leaf))) {
      t.true(knows(fresh.roots, leaf), "the newest knows the older one");
      t.true(knows(leaf.roots, fresh), "the older one knows the newest");
    }
  }
  t.deepEqual(phases, ["two roots, the old one signs", "two roots, the new one signs", "one root"]);
});

test("an authority on the same directory takes part in a rotation that another began", async (t) => {
  const clock = { at: Date.now() };
  const one = await bench(t, undefined, clock);
  const other = await bench(t, one.path, clock);
  const before = await other.sign();
  const signsFrom = await one.source.rotate();
  t.is(certificatesIn((await other.sign()).roots), 2);
  clock.at = signsFrom.getTime();
  const after = await other.sign();
  t.not(after.intermediates[0], before.intermediates[0]);
  t.deepEqual(after.intermediates, (await one.sign()).intermediates);
});

test("intermediate and root are renewed in time by themselves, and leaves are never shortened", async (t) => {
  const { clock, source, sign, stored } = await bench(t);
  const start = clock.at;
  const ninety = 90 * 24 * 3600;
  const roots = new Set<string>();
  const intermediates = new Set<string>();
  for (; clock.at < start + 12 * 365 * DAY; clock.at += 45 * DAY) {
    await source.upkeep();
    const chain = await sign(ninety);
    t.true(knows(chain.roots, chain));
    t.true(Math.abs(endOf(chain.leaf) - clock.at - ninety * 1000) <= 1000, "the whole lifetime");
    for (const { certificate } of stored().roots) roots.add(certificate);
    intermediates.add(chain.intermediates[0]!);
  }
  t.is(roots.size, 2);
  t.is(verify(t, { ...(await sign()), at: clock.at }), "");
  t.true(intermediates.size > 20);
});

test("a state that vanishes is said so, and nothing is signed by a root nobody keeps", async (t) => {
  const { path, sign } = await bench(t);
  rmSync(join(path, "authority.json"));
  t.like(await t.throwsAsync(sign()), { code: "AUTHORITY_UNUSABLE" });
  t.false(existsSync(join(path, "authority.json")));
});
