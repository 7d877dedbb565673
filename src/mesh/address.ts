// Addresses as the boundary has them: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2).
import { isIPv4, isIPv6 } from "node:net";

/** Parses an IPv4 or IPv6 address into 16 bytes; undefined when it is neither. */
export function parseAddress(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(16);
  if (isIPv4(text)) {
    bytes.fill(0xff, 10, 12);
    bytes.set(text.split(".").map(Number), 12);
    return bytes;
  }
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const [head = "", tail] = withoutDottedQuad(text).split("::");
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const words = tail === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill(0), ...right];
  const view = new DataView(bytes.buffer);
  for (const [index, word] of words.entries()) view.setUint16(index * 2, word);
  return bytes;
}

/** Prints 16 bytes as the user would write the address (RFC 5952; mapped addresses as IPv4). */
export function formatAddress(bytes: Uint8Array): string {
  if (isMapped(bytes)) return bytes.subarray(12, 16).join(".");
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const words = Array.from({ length: 8 }, (_, index) => view.getUint16(index * 2));
  const zeros = longestZeroRun(words);
  const hex = (part: number[]) => part.map((word) => word.toString(16)).join(":");
  if (zeros.length < 2) return hex(words);
  return `${hex(words.slice(0, zeros.start))}::${hex(words.slice(zeros.start + zeros.length))}`;
}

/** Whether these 16 bytes are an IPv4 address. */
export function isMapped(bytes: Uint8Array): boolean {
  return bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0);
}

function withoutDottedQuad(text: string): string {
  const quad = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (quad === null) return text;
  const [a = 0, b = 0, c = 0, d = 0] = quad.slice(1).map(Number);
  return `${text.slice(0, quad.index)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

function groups(part: string): number[] {
  return part === "" ? [] : part.split(":").map((word) => Number.parseInt(word, 16));
}

function longestZeroRun(words: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < words.length; start++) {
    let length = 0;
    while (words[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
