// One YAML document of a manifest becomes checked objects, or an error with its position. Lines and columns count from
// 1 and are relative to the document, so that a result can be kept while the document moves within its file.
import { hash } from "node:crypto";
import { LineCounter, parse, parseDocument, YAMLParseError } from "yaml";
import { reasonOf, WeirError } from "../errors.ts";
import { FieldError, type FieldPath } from "../kube/fields.ts";
import { type Resource, type ResourceKey, readResource, resourceKey } from "../kube/resources.ts";
import { readPlainYaml } from "./plain-yaml.ts";

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Placed {
  readonly key: ResourceKey;
  readonly resource: Resource;
  readonly position: Position;
}

export interface ParsedDocument {
  /** Of the text: the same text is not parsed again. */
  readonly digest: string;
  readonly objects: readonly Placed[];
  /** Kinds Weir does not read. */
  readonly ignored: readonly string[];
  readonly failure: { readonly position: Position; readonly error: WeirError } | undefined;
}

export const digestOf = (text: string): string => hash("sha256", text, "base64");

export function parseOne(text: string, digest: string): ParsedDocument {
  let value: unknown;
  try {
    value = text.trimStart().startsWith("{") ? parseJson(text) : (readPlainYaml(text) ?? parse(text, yamlOptions));
  } catch (error) {
    return { digest, objects: [], ignored: [], failure: syntaxFailure(error) };
  }
  const start = startOf(text);
  const objects: Placed[] = [];
  const ignored: string[] = [];
  try {
    for (const [item, path] of itemsOf(value)) {
      const reading = readResource(item, path);
      if ("ignored" in reading) ignored.push(reading.ignored);
      else objects.push({ key: resourceKey(reading.resource), resource: reading.resource, position: start });
    }
  } catch (error) {
    if (!(error instanceof FieldError)) throw error;
    return { digest, objects: [], ignored: [], failure: fieldFailure(text, value, error) };
  }
  return { digest, objects, ignored, failure: undefined };
}

/** The objects of a document: none when it is empty, several when it is a List as kubectl writes it. */
function itemsOf(value: unknown): [unknown, FieldPath][] {
  if (value === null || value === undefined) return [];
  const list = value as { apiVersion?: unknown; kind?: unknown; items?: unknown };
  if (list.apiVersion !== "v1" || list.kind !== "List" || !Array.isArray(list.items)) return [[value, []]];
  return list.items.map((item, index) => [item, ["items", index]]);
}

// JSON is YAML, but not the other way round; what fails here gets its position from the YAML parser.
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return parse(text, yamlOptions);
  }
}

function syntaxFailure(error: unknown): ParsedDocument["failure"] {
  const [start] = error instanceof YAMLParseError ? (error.linePos ?? []) : [];
  return {
    position: { line: start?.line ?? 1, column: start?.col ?? 1 },
    // The parser's message goes on with the position and an excerpt; the first part says it all.
    error: new WeirError("FILE_SYNTAX", { why: reasonOf(error).split(/ at line \d+, column/)[0] ?? "" }, error),
  };
}

function fieldFailure(text: string, value: unknown, error: FieldError): ParsedDocument["failure"] {
  const details = { object: describe(value, error.path), why: error.message };
  return { position: positionOf(text, error.path), error: new WeirError("OBJECT_INVALID", details, error) };
}

/** Where the field is, or the nearest thing around it that is there. */
function positionOf(text: string, path: FieldPath): Position {
  const lines = new LineCounter();
  const document = parseDocument(text, { ...yamlOptions, lineCounter: lines });
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true) as { range?: [number, number, number] } | undefined;
    if (node?.range === undefined || node.range === null) continue;
    const { line, col } = lines.linePos(node.range[0]);
    return { line, column: col };
  }
  return startOf(text);
}

function describe(value: unknown, path: FieldPath): string {
  const items = (value as { items?: unknown[] } | null)?.items;
  const object = path[0] === "items" && Array.isArray(items) ? items[path[1] as number] : value;
  const { kind, metadata } = (object ?? {}) as { kind?: unknown; metadata?: { namespace?: unknown; name?: unknown } };
  const name = [metadata?.namespace, metadata?.name].filter((part) => typeof part === "string").join("/");
  return [typeof kind === "string" ? kind : "the object", name].filter((part) => part !== "").join(" ");
}

/** The first line that says something. */
function startOf(text: string): Position {
  const lines = text.split("\n", 200);
  const index = lines.findIndex((line) => /^\s*[^\s#]/.test(line) && !/^(---|%)/.test(line));
  return { line: Math.max(index, 0) + 1, column: 1 };
}

const yamlOptions = { prettyErrors: true, logLevel: "error", maxAliasCount: 100 } as const;
