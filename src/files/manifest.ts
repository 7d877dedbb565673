// A manifest file: YAML documents, split so that a change of one does not parse the others again.
import { WeirError } from "../errors.ts";
import type { ResourceKey } from "../kube/resources.ts";
import { digestOf, type ParsedDocument, type Placed, type Position, parseOne } from "./document.ts";

export interface Manifest {
  /** Parsed documents by digest, to be given to the next call. */
  readonly documents: ReadonlyMap<string, ParsedDocument>;
  /** Positions in the file. */
  readonly objects: ReadonlyMap<ResourceKey, Placed>;
  readonly ignored: readonly { readonly type: string; readonly position: Position }[];
  /** Why the file is refused; every document that fails is here. */
  readonly failures: readonly { readonly position: Position; readonly error: WeirError }[];
}

/** Parses a manifest; documents known to `before` are taken from there. */
export function parseManifest(text: string, before?: Pick<Manifest, "documents">): Manifest {
  const documents = new Map<string, ParsedDocument>();
  const objects = new Map<ResourceKey, Placed>();
  const ignored: Manifest["ignored"][number][] = [];
  const failures: Manifest["failures"][number][] = [];
  for (const { line, text: part } of split(text)) {
    const digest = digestOf(part);
    const document = documents.get(digest) ?? before?.documents.get(digest) ?? parseOne(part, digest);
    documents.set(digest, document);
    const inFile = (position: Position) => ({ line: position.line + line, column: position.column });
    if (document.failure !== undefined) {
      failures.push({ position: inFile(document.failure.position), error: document.failure.error });
    }
    for (const type of document.ignored) ignored.push({ type, position: { line: line + 1, column: 1 } });
    for (const object of document.objects) {
      const position = inFile(object.position);
      const first = objects.get(object.key);
      if (first === undefined) objects.set(object.key, { ...object, position });
      else failures.push({ position, error: duplicate(object.key, `line ${first.position.line}`) });
    }
  }
  return { documents, objects, ignored, failures };
}

export const duplicate = (key: ResourceKey, first: string): WeirError =>
  new WeirError("OBJECT_DUPLICATE", { object: key, first });

/** A line that starts with `---` begins a document wherever it stands: YAML allows it inside no scalar. */
function* split(text: string): Generator<{ line: number; text: string }> {
  let start = 0;
  let line = 0;
  for (const marker of text.matchAll(/^---(?=\s|$)/gm)) {
    const part = text.slice(start, marker.index);
    if (!saysSomething.test(part)) continue;
    yield { line, text: part };
    line += newlines(part);
    start = marker.index;
  }
  const rest = text.slice(start);
  if (saysSomething.test(rest)) yield { line, text: rest };
}

function newlines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

/** More than blank lines, comments and directives, which belong to the document after them. */
const saysSomething = /^\s*[^%#\s]/m;
