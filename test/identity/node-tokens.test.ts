import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { NodeTokens, tokenFile } from "../../src/identity/node-tokens.ts";
import { PrivateDirectory } from "../../src/identity/private-directory.ts";
import type { Refusal } from "../../src/identity/refusal.ts";
import { scratch } from "../helpers/resources.ts";

const HOUR = 3_600_000;

async function bench(t: ExecutionContext, path = join(scratch(t), "ca"), clock = { at: Date.now() }) {
  const tokens = await NodeTokens.open({ directory: new PrivateDirectory(path), now: () => clock.at });
  const file = (node: string) => join(path, tokenFile(node));
  return { tokens, clock, path, file, read: (node: string) => readFileSync(file(node), "utf8").trim() };
}

const reasonOf = async (tokens: NodeTokens, token: string): Promise<string> =>
  tokens.authenticate(token).then(
    ({ node }) => `node ${node}`,
    (refusal: Refusal) => refusal.reason,
  );

test("the token in a node's private file proves the node", async (t) => {
  const { tokens, read, file } = await bench(t);
  tokens.provide(["a", "b.example"]);
  t.is(await reasonOf(tokens, read("a")), "node a");
  t.is(await reasonOf(tokens, read("b.example")), "node b.example");
  t.is(statSync(file("a")).mode & 0o777, 0o600);
});

test("a token is replaced at half of its life, and ends when it says", async (t) => {
  const { tokens, read, clock } = await bench(t);
  tokens.provide(["a"]);
  const first = read("a");
  clock.at += 11 * HOUR;
  tokens.provide(["a"]);
  t.is(read("a"), first);
  clock.at += 2 * HOUR;
  tokens.provide(["a"]);
  t.not(read("a"), first);
  t.is(await reasonOf(tokens, first), "node a", "who read the file before may still use it");
  clock.at += 12 * HOUR;
  t.is(await reasonOf(tokens, first), "token_expired");
  t.is(await reasonOf(tokens, read("a")), "node a");
});

test("tokens are good in every authority on the same directory, and in no other", async (t) => {
  const one = await bench(t);
  const same = await bench(t, one.path);
  const other = await bench(t);
  one.tokens.provide(["a"]);
  t.is(await reasonOf(same.tokens, one.read("a")), "node a");
  t.is(await reasonOf(other.tokens, one.read("a")), "unauthenticated");
});

test("whatever is changed in a token, it proves nothing", async (t) => {
  const { tokens, read } = await bench(t);
  tokens.provide(["a", "b"]);
  const token = read("a");
  const [body, mac] = token.split(".") as [string, string];
  const foreign = Buffer.from(JSON.stringify({ node: "b", expires: 9e15 })).toString("base64url");
  const flips = Array.from(
    token,
    (letter, at) => token.slice(0, at) + (letter === "A" ? "g" : "A") + token.slice(at + 1),
  );
  for (const wrong of ["", ".", "..", body, `${body}.`, `.${mac}`, `${token}.x`, `${foreign}.${mac}`, "x".repeat(1e6)])
    t.is(await reasonOf(tokens, wrong), "unauthenticated", wrong.slice(0, 40));
  // The last letter carries two bits that mean nothing.
  for (const wrong of flips.slice(0, -1)) t.is(await reasonOf(tokens, wrong), "unauthenticated", wrong);
});

test("a file that was damaged, or holds another node's token, is written anew", async (t) => {
  const { tokens, read, file } = await bench(t);
  tokens.provide(["a", "b"]);
  for (const text of ["", "garbage", read("b")]) {
    writeFileSync(file("a"), text);
    tokens.provide(["a"]);
    t.is(await reasonOf(tokens, read("a")), "node a");
  }
});

test("what is no name of a node gets no token, and no file is written elsewhere", async (t) => {
  const { tokens, path } = await bench(t);
  tokens.provide(["", "..", "../x", "a/b", "a/../../x", "A", "x".repeat(254), "\0", "good"]);
  t.deepEqual(readdirSync(path, { recursive: true }).sort(), ["lock", "nodes", "nodes/good.token", "token.key"]);
  t.deepEqual(readdirSync(join(path, "..")), ["ca"]);
});
