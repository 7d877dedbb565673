// The authority as nodes meet it: gRPC over TLS, requests and chains by openssl.
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { connect as connectPlain } from "node:net";
import { connect, createServer } from "node:tls";
import test from "ava";
import { NodeTokens } from "../../src/identity/node-tokens.ts";
import { PrivateDirectory } from "../../src/identity/private-directory.ts";
import { refusalReasons } from "../../src/identity/refusal.ts";
import { eventually } from "../helpers/eventually.ts";
import { scratch } from "../helpers/resources.ts";
import { type KeyKind, partsOf, signingRequest, textOf, verify } from "../identity/openssl.ts";
import { type Ask, podManifest, service } from "./service.ts";

const web = { identity: "spiffe://cluster.local/ns/shop/sa/web", uid: "u-web" };
const cart = { identity: "spiffe://cluster.local/ns/shop/sa/cart", uid: "u-cart" };

test("a node gets a certificate for a captured pod of its own, with the pod's identity and no other", async (t) => {
  const { client, token, roots, audit, metrics } = await service(t);
  const { csr } = signingRequest(t);
  const { chain, code } = await client()({ csr, token: token("a"), ...web });
  t.is(code, "OK");
  const parts = partsOf(chain);
  t.is(verify(t, parts), "");
  t.is(parts.roots, roots());
  const names = /Subject Alternative Name:.*\n +(.*)\n/.exec(textOf(parts.leaf))![1];
  t.is(names, `URI:${web.identity}`, "the names of the signing request are ignored");
  t.notRegex(textOf(parts.leaf), /evil/);
  const { audit: kind, node, identity, uid, pod, serial, notAfter, peer, level } = audit()[0];
  t.deepEqual(
    { kind, node, identity, uid, pod, level },
    { kind: "signed", node: "a", ...web, pod: "shop/web", level: "info" },
  );
  t.true(textOf(parts.leaf).replace(/[\s:]/g, "").includes(serial));
  t.true(Math.abs(Date.parse(notAfter) - Date.now() - 86_400_000) < 60_000);
  t.regex(peer, /^127\.0\.0\.1:\d+$/);
  t.regex(await metrics(), /^weir_ca_signed_total 1$/m);
});

for (const kind of ["ECDSA P-256", "ECDSA P-384", "RSA 2048", "Ed25519"] as const) {
  test(`a key of ${kind} is certified, and works for mutual TLS`, async (t) => {
    const { client, token } = await service(t);
    const ask = client();
    const ends = await Promise.all(
      [
        { node: "a", ...web },
        { node: "b", ...cart },
      ].map(async ({ node, ...who }) => {
        const { csr, keyFile } = signingRequest(t, kind);
        const { leaf, intermediates, roots } = partsOf((await ask({ csr, token: token(node), ...who })).chain);
        return { key: readFileSync(keyFile), cert: [leaf, ...intermediates].join(""), ca: roots };
      }),
    );
    const server = createServer({ ...ends[0]!, requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.3" });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.teardown(() => server.close());
    const { port } = server.address() as { port: number };
    const seen = once(server, "secureConnection");
    const dialled = connect({ ...ends[1]!, port, host: "127.0.0.1", checkServerIdentity: () => undefined });
    const [accepted] = await seen;
    if (!dialled.authorized) await once(dialled, "secureConnect");
    t.is(accepted.getPeerX509Certificate().subjectAltName, `URI:${cart.identity}`);
    t.is(dialled.getPeerX509Certificate()!.subjectAltName, `URI:${web.identity}`);
    dialled.destroy();
  });
}

const garbage = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n";
const refused: Record<string, { ask: Ask | ((own: string, other: string) => Ask); code: string; reason: string }> = {
  "without a token": { ask: { ...web, token: undefined }, code: "UNAUTHENTICATED", reason: "unauthenticated" },
  "with a token nobody gave": { ask: { ...web, token: "made.up" }, code: "UNAUTHENTICATED", reason: "unauthenticated" },
  "for a pod of another node": { ask: cart, code: "PERMISSION_DENIED", reason: "wrong_node" },
  "for a pod of its own, with another node's token": {
    ask: (_, other) => ({ ...web, token: other }),
    code: "PERMISSION_DENIED",
    reason: "wrong_node",
  },
  "for a pod that does not exist": { ask: { ...web, uid: "u-none" }, code: "PERMISSION_DENIED", reason: "pod_unknown" },
  "for another pod's identity under its own pod's UID": {
    ask: { uid: web.uid, identity: cart.identity },
    code: "PERMISSION_DENIED",
    reason: "wrong_identity",
  },
  "for another trust domain": {
    ask: { uid: web.uid, identity: web.identity.replace("cluster.local", "other") },
    code: "PERMISSION_DENIED",
    reason: "wrong_identity",
  },
  "for a pod that is not captured": {
    ask: { uid: "u-plain", identity: "spiffe://cluster.local/ns/shop/sa/plain" },
    code: "PERMISSION_DENIED",
    reason: "not_captured",
  },
  "without an identity": { ask: { ...web, identity: undefined }, code: "INVALID_ARGUMENT", reason: "identity_missing" },
  "for what is no identity": {
    ask: { ...web, identity: "web" },
    code: "INVALID_ARGUMENT",
    reason: "identity_malformed",
  },
  "without a pod's UID": { ask: { ...web, uid: undefined }, code: "INVALID_ARGUMENT", reason: "uid_missing" },
  "with garbage for a signing request": {
    ask: { ...web, csr: garbage },
    code: "INVALID_ARGUMENT",
    reason: "csr_malformed",
  },
  "with no signing request": { ask: { ...web, csr: "" }, code: "INVALID_ARGUMENT", reason: "csr_malformed" },
  "with a signing request that is too long": {
    ask: { ...web, csr: garbage.replace("AAAA", "A".repeat(20_000)) },
    code: "INVALID_ARGUMENT",
    reason: "csr_malformed",
  },
  "for 91 days": { ask: { ...web, ttl: 91 * 86_400 }, code: "INVALID_ARGUMENT", reason: "ttl_unacceptable" },
};

for (const [what, { ask, code, reason }] of Object.entries(refused)) {
  test(`a request ${what} is refused, counted and audited as ${reason}`, async (t) => {
    const { client, token, audit, metrics } = await service(t);
    const given = typeof ask === "function" ? ask(token("a"), token("b")) : ask;
    const answer = await client()({ csr: signingRequest(t).csr, token: token("a"), ...given });
    t.is(answer.code, code);
    t.deepEqual(answer.chain, []);
    t.regex(await metrics(), new RegExp(`^weir_ca_requests_refused_total\\{reason="${reason}"\\} 1$`, "m"));
    t.like(audit()[0], { audit: "refused", reason, level: "warn" });
    t.is(audit()[0].why, answer.details);
  });
}

for (const kind of ["RSA 1024", "ECDSA secp256k1", "Ed448"] as const satisfies readonly KeyKind[]) {
  test(`a key of ${kind} is not certified`, async (t) => {
    const { client, token, audit } = await service(t);
    const answer = await client()({ csr: signingRequest(t, kind).csr, token: token("a"), ...web });
    t.is(answer.code, "INVALID_ARGUMENT");
    t.regex(audit()[0].reason, /^(key_unacceptable|csr_malformed)$/);
  });
}

test("a signing request with another's key, or with a signature that was changed, is refused", async (t) => {
  const { client, token, audit } = await service(t);
  const [one, other] = [signingRequest(t), signingRequest(t)].map(({ csr }) =>
    Buffer.from(csr.replace(/-----[^-]+-----/g, ""), "base64"),
  ) as [Buffer, Buffer];
  const pem = (der: Buffer) =>
    `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
  // The key of the other in the request of the one: same lengths, so that the rest still parses.
  const point = (der: Buffer) => der.indexOf(Buffer.from("034200", "hex")) + 3;
  const swapped = Buffer.from(one);
  other.copy(swapped, point(swapped), point(other), point(other) + 65);
  const changed = Buffer.from(one);
  changed[changed.length - 1]! ^= 1;
  const ask = client();
  t.is((await ask({ csr: pem(one), token: token("a"), ...web })).code, "OK");
  for (const der of [swapped, changed]) {
    t.is((await ask({ csr: pem(der), token: token("a"), ...web })).code, "INVALID_ARGUMENT");
    t.is(audit().at(-1).reason, "csr_malformed");
  }
});

test("requests cut short or with a bit turned never get a certificate and never bring the server down", async (t) => {
  const { client, token } = await service(t);
  const { csr } = signingRequest(t);
  const der = Buffer.from(csr.replace(/-----[^-]+-----/g, ""), "base64");
  const pem = (bytes: Buffer) =>
    `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
  const ask = client();
  for (let at = 0; at < der.length; at += 3) {
    const turned = Buffer.from(der);
    turned[at]! ^= 1 << (at % 8);
    for (const bytes of [turned, der.subarray(0, at)])
      t.is((await ask({ csr: pem(bytes), token: token("a"), ...web })).code, "INVALID_ARGUMENT", `byte ${at}`);
  }
  t.is((await ask({ csr, token: token("a"), ...web })).code, "OK");
});

test("a token that has expired is refused, and says so", async (t) => {
  const { client, caDir } = await service(t);
  const directory = new PrivateDirectory(caDir);
  const yesterday = await NodeTokens.open({ directory, now: () => Date.now() - 25 * 3_600_000 });
  rmSync(`${caDir}/nodes/a.token`);
  yesterday.provide(["a"]);
  const token = readFileSync(`${caDir}/nodes/a.token`, "utf8").trim();
  const { code, details } = await client()({ csr: signingRequest(t).csr, token, ...web });
  t.is(code, "UNAUTHENTICATED");
  t.regex(details, /node a has expired/);
});

test("a message that is too large is refused before it is read", async (t) => {
  const { client, token, audit } = await service(t);
  const answer = await client()({ csr: "x".repeat(1 << 20), token: token("a"), ...web });
  t.is(answer.code, "RESOURCE_EXHAUSTED");
  t.is(audit().length, 0);
});

test("a node that asks without end is held back, another is not, and the audit stays short", async (t) => {
  const { client, token, audit, metrics } = await service(t);
  const { csr } = signingRequest(t);
  const greedy = client();
  const codes = new Map<string, number>();
  for (let round = 0; round < 30; round++) {
    const asks = Array.from({ length: 30 }, () => greedy({ csr, token: token("a"), ...web, uid: "u-none" }));
    for (const { code } of await Promise.all(asks)) codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  t.true(codes.get("RESOURCE_EXHAUSTED")! > 100, JSON.stringify([...codes]));
  t.is((await client()({ csr, token: token("b"), ...cart })).code, "OK");
  t.true(audit().filter(({ reason }) => reason === "rate").length < 30);
  t.regex(await metrics(), /^weir_ca_requests_refused_total\{reason="rate"\} [1-9]/m);
});

test("pods that come, move and go are known at once, and a new node finds its token", async (t) => {
  const { client, token, write, shop } = await service(t);
  const ask = client();
  const { csr } = signingRequest(t);
  const late = { uid: "u-late", identity: "spiffe://cluster.local/ns/shop/sa/late" };
  t.is((await ask({ csr, token: token("a"), ...late })).code, "PERMISSION_DENIED");
  write(shop + podManifest("late", "u-late", "c", "10.0.0.9"));
  await eventually("the new node's token", () => token("c"));
  t.is((await ask({ csr, token: token("c"), ...late })).code, "OK");
  t.is((await ask({ csr, token: token("a"), ...late })).code, "PERMISSION_DENIED");
  write(shop);
  await eventually("the pod is gone", async () => (await ask({ csr, token: token("c"), ...late })).code !== "OK");
});

test("two services on one directory have one root and take each other's tokens", async (t) => {
  const base = scratch(t);
  const [one, two] = await Promise.all([service(t, {}, base), service(t, {}, base)]);
  t.is(one.roots(), two.roots());
  const { csr } = signingRequest(t);
  for (const each of [one, two]) {
    const { chain, code } = await each.client()({ csr, token: one.token("a"), ...web });
    t.is(code, "OK");
    t.is(verify(t, { ...partsOf(chain), roots: one.roots() }), "");
  }
});

test("who does not trust the root does not talk to the service, and strangers keep nobody waiting", async (t) => {
  const { client, token, control, metrics } = await service(t);
  const stranger = await service(t);
  const { csr } = signingRequest(t);
  t.is((await client(stranger.roots())({ csr, token: token("a"), ...web })).code, "UNAVAILABLE");
  const silent = Array.from({ length: 300 }, () =>
    connectPlain({ port: control.port, host: "127.0.0.1", localAddress: "127.0.0.9" }),
  );
  for (const socket of silent) socket.on("error", () => {});
  silent[0]!.write("GET / HTTP/1.1\r\n\r\n");
  const withoutAlpn = connect({ port: control.port, host: "127.0.0.1", rejectUnauthorized: false });
  withoutAlpn.on("error", () => {});
  await once(withoutAlpn, "close");
  const refusedFor = async (reason: string) =>
    Number(
      new RegExp(`^weir_ca_connections_refused_total\\{reason="${reason}"\\} (\\d+)$`, "m").exec(await metrics())![1],
    );
  await eventually(
    "43 are too many, the first of them having ended at once",
    async () => (await refusedFor("address_limit")) >= 43,
  );
  t.true((await refusedFor("handshake")) >= 1);
  t.is((await client()({ csr, token: token("a"), ...web })).code, "OK");
  await eventually(
    "handshakes that do not go on are ended",
    async () => /^weir_ca_connections [012]$/m.test(await metrics()),
    {
      withinMs: 15_000,
    },
  );
  for (const socket of silent) socket.destroy();
});

test("the metrics and health of the service are those that docs/control.md lists", async (t) => {
  const { metrics, control } = await service(t);
  const page = readFileSync(new URL("../../docs/control.md", import.meta.url), "utf8");
  const announced = [...(await metrics()).matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(
    ([, name, type]) => `| \`${name}\` | ${type} |`,
  );
  t.deepEqual(
    [...page.matchAll(/^\| `weir_\w+` \| \w+ \|/gm)].map(([line]) => line),
    announced,
  );
  for (const reason of refusalReasons) t.true(page.includes(`| \`${reason}\` |`), reason);
  t.is((await fetch(`http://127.0.0.1:${control.metricsPort}/healthz/ready`)).status, 200);
});
