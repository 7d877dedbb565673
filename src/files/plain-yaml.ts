// Reads YAML as machines and most people write manifests: block mappings and sequences of one-line scalars, with simple
// flow collections. Ten times as fast as the full parser, which matters with 10,000 pods in a directory. Whatever is
// out of the ordinary (comments behind values, anchors, tags, escapes, long strings, tabs, duplicate keys) makes it give
// up, and the full parser decides. What it does read it reads as the full parser would: a test holds the two together.

/** The value of one document, or `undefined` when the full parser is needed. */
export function readPlainYaml(text: string): unknown {
  const lines = linesOf(text);
  if (lines === undefined || lines.length === 0) return undefined;
  try {
    const reader = new BlockReader(lines);
    return reader.document();
  } catch (error) {
    if (error instanceof OutOfTheOrdinary) return undefined;
    throw error;
  }
}

class OutOfTheOrdinary extends Error {}

const giveUp = (): never => {
  throw outOfTheOrdinary;
};

interface Line {
  indent: number;
  content: string;
}

function linesOf(text: string): Line[] | undefined {
  const lines: Line[] = [];
  for (const raw of text.split("\n")) {
    const content = raw.trim();
    if (content === "" || content.startsWith("#")) continue;
    if (content === "---" && raw.startsWith("---") && lines.length === 0) continue;
    if (!printable.test(raw)) return undefined;
    lines.push({ indent: raw.length - raw.trimStart().length, content });
  }
  return lines;
}

class BlockReader {
  readonly #lines: readonly Line[];
  #at = 0;
  #depth = 0;

  constructor(lines: readonly Line[]) {
    this.#lines = lines;
  }

  document(): unknown {
    const value = this.#node(this.#lines[0]?.indent ?? 0);
    return this.#at === this.#lines.length ? value : giveUp();
  }

  #node(indent: number): unknown {
    if (++this.#depth > maxDepth) giveUp();
    const value = isItem(this.#lines[this.#at]?.content ?? "") ? this.#sequence(indent) : this.#mapping(indent);
    this.#depth--;
    return value;
  }

  #sequence(indent: number): unknown[] {
    const values: unknown[] = [];
    for (let line = this.#here(indent); line !== undefined && isItem(line.content); line = this.#here(indent)) {
      const rest = line.content.slice(1).trimStart();
      if (rest !== "" && !keyPattern.test(rest) && !isItem(rest)) {
        this.#at++;
        values.push(inline(rest));
        this.#nothingDeeper(indent);
      } else if (rest === "") {
        this.#at++;
        values.push(this.#deeper(indent));
      } else {
        // What follows the dash is a block of its own, as deep as it stands.
        line.indent += line.content.length - rest.length;
        line.content = rest;
        values.push(this.#node(line.indent));
      }
    }
    return values;
  }

  #mapping(indent: number): Record<string, unknown> {
    const values: Record<string, unknown> = {};
    for (let line = this.#here(indent); line !== undefined; line = this.#here(indent)) {
      const match = keyPattern.exec(line.content) ?? giveUp();
      const key = keyOf(match[1] ?? "");
      if (Object.hasOwn(values, key)) giveUp();
      this.#at++;
      if (match[2] === undefined) values[key] = this.#below(indent);
      else {
        values[key] = inline(match[2]);
        this.#nothingDeeper(indent);
      }
    }
    return values;
  }

  /** The line to read if it is at this depth; nothing if the block has ended. */
  #here(indent: number): Line | undefined {
    const line = this.#lines[this.#at];
    if (line === undefined || line.indent < indent) return undefined;
    return line.indent === indent ? line : giveUp();
  }

  /** The block under a key; a sequence may stand as deep as its key. */
  #below(indent: number): unknown {
    const line = this.#lines[this.#at];
    return line?.indent === indent && isItem(line.content) ? this.#node(indent) : this.#deeper(indent);
  }

  #deeper(indent: number): unknown {
    const line = this.#lines[this.#at];
    return line === undefined || line.indent <= indent ? null : this.#node(line.indent);
  }

  /** A deeper line after a scalar continues it. */
  #nothingDeeper(indent: number): void {
    if ((this.#lines[this.#at]?.indent ?? 0) > indent) giveUp();
  }
}

/** A value on one line. */
function inline(text: string): unknown {
  const first = text[0] ?? "";
  if (first === "[" || first === "{") {
    const flow = new FlowReader(text);
    const value = flow.value(0);
    return flow.ended() ? value : giveUp();
  }
  if (first === '"' || first === "'") return quotedPattern.test(text) ? text.slice(1, -1) : giveUp();
  return plainPattern.test(text) && !/: |:$/.test(text) ? scalar(text) : giveUp();
}

/** A flow collection on one line. */
class FlowReader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    const tokens = text.match(flowTokens) ?? [];
    this.#tokens = tokens.join("") === text ? tokens.filter((token) => token !== "" && token.trim() !== "") : giveUp();
  }

  ended(): boolean {
    return this.#at === this.#tokens.length;
  }

  value(depth: number): unknown {
    const token = this.#next();
    if (depth > maxDepth) giveUp();
    if (token === "[") return this.#list(depth);
    if (token === "{") return this.#map(depth);
    return flowScalar(token);
  }

  #list(depth: number): unknown[] {
    const values: unknown[] = [];
    if (this.#skip("]")) return values;
    for (;;) {
      values.push(this.value(depth + 1));
      if (this.#skip("]")) return values;
      if (!this.#skip(",")) giveUp();
    }
  }

  #map(depth: number): Record<string, unknown> {
    const values: Record<string, unknown> = {};
    if (this.#skip("}")) return values;
    for (;;) {
      const key = keyOf(this.#next());
      if (Object.hasOwn(values, key) || !this.#skip(": ")) giveUp();
      values[key] = this.value(depth + 1);
      if (this.#skip("}")) return values;
      if (!this.#skip(",")) giveUp();
    }
  }

  #next(): string {
    return this.#tokens[this.#at++] ?? giveUp();
  }

  #skip(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at++;
    return true;
  }
}

function flowScalar(token: string): unknown {
  if (/^["']/.test(token)) return token.slice(1, -1);
  return /^[\w./]/.test(token) ? scalar(token) : giveUp();
}

function keyOf(token: string): string {
  const key = /^["']/.test(token) ? token.slice(1, -1) : /^[A-Za-z]/.test(token) ? token : giveUp();
  return /^(true|false|null|__proto__)$/i.test(key) ? giveUp() : key;
}

/** YAML 1.2 core schema; numbers in other than plain decimal notation are left to the full parser. */
function scalar(text: string): unknown {
  if (/^(null|Null|NULL)$/.test(text)) return null;
  if (/^(true|True|TRUE)$/.test(text)) return true;
  if (/^(false|False|FALSE)$/.test(text)) return false;
  if (/^-?(0|[1-9][0-9]{0,14})$/.test(text)) return Number(text);
  return numberLike.test(text) ? giveUp() : text;
}

const isItem = (content: string): boolean => content === "-" || content.startsWith("- ");

const outOfTheOrdinary = new OutOfTheOrdinary();
const maxDepth = 64;
/** ASCII without tabs and other control characters, and without anything that could start a comment. */
const printable = /^[\x20-\x22\x24-\x7e]*$/;
const keyPattern = /^([A-Za-z][\w./-]*|"[^"\\]*"|'[^']*'):(?: +(\S.*))?$/;
const quotedPattern = /^(?:"[^"\\]*"|'[^']*')$/;
const plainPattern = /^(?:[\w./+]|-[\w.])/;
const flowTokens = /[[\]{},]|: |"[^"\\]*"|'[^']*'|[\w./-]+| +/g;
const numberLike = /^[-+]?(?:\.[0-9]+|[0-9]+\.?[0-9]*)(?:[eE][-+]?[0-9]+)?$|^0[ox][0-9a-fA-F]+$|^[-+]?\.(?:inf|nan)$/i;
