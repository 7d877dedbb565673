import test from "ava";
import { formatAddress, parseAddress } from "../../src/mesh/address.ts";
import {
  parseBlocks,
  parseMatch,
  parsePort,
  parsePrincipal,
  parseServiceAccount,
  ValueError,
} from "../../src/policy/values.ts";
import type { Cidr } from "../../src/policy/wire.ts";

test("strings are exact, prefix, suffix or presence", (t) => {
  t.deepEqual(parseMatch("a"), { exact: "a" });
  t.deepEqual(parseMatch("a*"), { prefix: "a" });
  t.deepEqual(parseMatch("*a"), { suffix: "a" });
  t.deepEqual(parseMatch("*"), { present: true });
});

test("service accounts are in the policy's namespace unless they say another", (t) => {
  t.deepEqual(parseServiceAccount("web", "shop"), { namespace: "shop", name: "web" });
  t.deepEqual(parseServiceAccount("other/web", "shop"), { namespace: "other", name: "web" });
});

const refused: readonly [string, () => unknown][] = [
  ["a * in the middle", () => parseMatch("a*b")],
  ["a * at both ends", () => parseMatch("*a*")],
  ["two *", () => parseMatch("**")],
  ["a principal with its scheme", () => parsePrincipal("spiffe://cluster.local/ns/a/sa/b")],
  ["a service account with a wildcard", () => parseServiceAccount("shop/*", "shop")],
  ["a service account with two slashes", () => parseServiceAccount("a/b/c", "shop")],
  ["a service account without a name", () => parseServiceAccount("a/", "shop")],
  ["port 0", () => parsePort("0")],
  ["port 65536", () => parsePort("65536")],
  ["a port in words", () => parsePort("http")],
  ["a port with a sign", () => parsePort("+80")],
  ["an address that is none", () => parseBlocks("10.0.0")],
  ["a mask that is too long for IPv4", () => parseBlocks("10.0.0.0/33")],
  ["a mask that is too long for IPv6", () => parseBlocks("fd00::/129")],
  ["a mask that is no number", () => parseBlocks("10.0.0.0/x")],
  ["an empty mask", () => parseBlocks("10.0.0.0/")],
  ["two masks", () => parseBlocks("10.0.0.0/8/8")],
  ["a zone", () => parseBlocks("fe80::1%eth0")],
];

for (const [what, parse] of refused) {
  test(`${what} is refused`, (t) => {
    t.throws(parse, { instanceOf: ValueError });
  });
}

const blocks: readonly [string, string][] = [
  ["10.1.2.3", "10.1.2.3/128"],
  ["10.1.2.3/8", "10.0.0.0/104"],
  ["0.0.0.0/0", "0.0.0.0/96"],
  ["fd00::1", "fd00::1/128"],
  ["fd00:1:2::1/33", "fd00:1::/33"],
  ["::ffff:10.0.0.0/104", "10.0.0.0/104"],
];

for (const [text, block] of blocks) {
  test(`${text} is ${block} of 128 bits`, (t) => {
    t.deepEqual(
      parseBlocks(text).map(({ address, bits }) => `${formatAddress(address)}/${bits}`),
      [block],
    );
  });
}

test("an IPv6 block around the IPv4 addresses holds all IPv6 addresses and no IPv4 address", (t) => {
  for (const text of ["::/0", "::/80", "::ffff:0:0/95", "::/12"]) {
    const all = parseBlocks(text);
    for (const inside of ["::", "::1", "::ffff:0", "::fffe:a00:1"]) {
      if (text === "::ffff:0:0/95" && inside !== "::fffe:a00:1") continue;
      t.is(holding(all, inside), 1, `${text} ${inside}`);
    }
    for (const outside of ["10.0.0.1", "0.0.0.0", "255.255.255.255"])
      t.is(holding(all, outside), 0, `${text} ${outside}`);
    t.is(holding(all, "fd00::1"), text === "::/0" ? 1 : 0, text);
  }
});

/** How many of the blocks hold an address. */
function holding(all: readonly Cidr[], text: string): number {
  const address = parseAddress(text) as Uint8Array;
  const bit = (bytes: Uint8Array, index: number) => ((bytes[index >> 3] ?? 0) >> (7 - (index & 7))) & 1;
  return all.filter(({ address: block, bits }) =>
    Array.from({ length: bits }, (_, index) => index).every((index) => bit(block, index) === bit(address, index)),
  ).length;
}
