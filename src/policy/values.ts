// Values of policy fields, from text. Each function throws ValueError on a value that can mean nothing, because a value
// that never matches would turn a DENY rule off.
import { isIPv4 } from "node:net";
import { isMapped, parseAddress } from "../mesh/address.ts";
import type { Cidr, ServiceAccount, StringMatch } from "./wire.ts";

export class ValueError extends Error {}

/** exact, prefix*, *suffix, or * for anything that is there. */
export function parseMatch(value: string): StringMatch {
  if (value === "*") return { present: true };
  const inner = value.replace(/^\*/, "").replace(/\*$/, "");
  if (inner.includes("*") || inner.length < value.length - 1) {
    throw new ValueError(`${JSON.stringify(value)} has a * that is neither its first nor its last character`);
  }
  if (value.startsWith("*")) return { suffix: inner };
  return value.endsWith("*") ? { prefix: inner } : { exact: value };
}

/** As parseMatch; principals are written without the scheme. */
export function parsePrincipal(value: string): StringMatch {
  if (value.startsWith("spiffe://")) {
    throw new ValueError(`${JSON.stringify(value)} never matches; write it without spiffe://`);
  }
  return parseMatch(value);
}

/** NAMESPACE/NAME, or NAME in the policy's own namespace. */
export function parseServiceAccount(value: string, namespace: string): ServiceAccount {
  const parts = value.split("/");
  if (value.includes("*") || parts.length > 2 || parts.includes("")) {
    throw new ValueError(`${JSON.stringify(value)} is neither NAMESPACE/NAME nor NAME; wildcards are not allowed here`);
  }
  const [first = "", second] = parts;
  return second === undefined ? { namespace, name: first } : { namespace: first, name: second };
}

export function parsePort(value: string): number {
  const port = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (port < 1 || port > 65535) throw new ValueError(`${JSON.stringify(value)} is not a port 1..65535`);
  return port;
}

/**
 * An address or a block in either family. More than one block comes back where an IPv6 block spans the range that
 * IPv4 addresses are folded into: ::/0 is every IPv6 address and no IPv4 address.
 */
export function parseBlocks(value: string): Cidr[] {
  const [text = "", mask, ...more] = value.split("/");
  const address = parseAddress(text);
  const shift = isIPv4(text) ? 96 : 0;
  const bits = mask === undefined ? 128 : /^\d{1,3}$/.test(mask) ? Number(mask) + shift : -1;
  if (address === undefined || more.length > 0 || bits < 0 || bits > 128) {
    throw new ValueError(`${JSON.stringify(value)} is not an IP address or block`);
  }
  const block = { address: masked(address, bits), bits };
  const spansMapped = bits < 96 && isMapped(withPrefix(block.address, mappedRange, bits));
  return spansMapped ? withoutMapped(bits) : [block];
}

function masked(address: Uint8Array, bits: number): Uint8Array {
  return withPrefix(address, new Uint8Array(16), bits);
}

/** The first `bits` of `prefix`, the rest of `rest`. */
function withPrefix(prefix: Uint8Array, rest: Uint8Array, bits: number): Uint8Array {
  return rest.map((byte, index) => {
    const mask = (0xff00 >> Math.min(8, Math.max(0, bits - index * 8))) & 0xff;
    return ((prefix[index] ?? 0) & mask) | (byte & ~mask);
  });
}

/** The blocks that together are ::/bits without ::ffff:0:0/96. */
function withoutMapped(bits: number): Cidr[] {
  return Array.from({ length: 96 - bits }, (_, index) => {
    const length = bits + index + 1;
    const address = masked(mappedRange, length);
    const byte = (length - 1) >> 3;
    address[byte] = (address[byte] ?? 0) ^ (0x80 >> ((length - 1) & 7));
    return { address, bits: length };
  });
}

const mappedRange = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0]);
