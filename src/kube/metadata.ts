// What every Kubernetes object carries.
import type { Fields } from "./fields.ts";

export interface Metadata {
  /** Empty for objects without a namespace. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** RFC 3339, as written. */
  readonly created: string | undefined;
  readonly deleted: string | undefined;
}

export type Scope = "cluster" | "namespace";

/** Reads metadata; an object without a namespace is in `default`, as with kubectl. */
export function readMetadata(object: Fields, scope: Scope): Metadata {
  const metadata = object.object("metadata");
  const namespace = scope === "cluster" ? "" : (readName(metadata, "namespace") ?? "default");
  return {
    namespace,
    name: readName(metadata, "name") ?? metadata.string("name"),
    uid: metadata.optionalString("uid"),
    labels: metadata.stringMap("labels"),
    annotations: metadata.stringMap("annotations"),
    created: metadata.optionalString("creationTimestamp"),
    deleted: metadata.optionalString("deletionTimestamp"),
  };
}

/**
 * Reads a name that goes into SPIFFE ids, where a slash would forge one: lower-case letters, digits, `-` and `.`.
 */
export function readName(fields: Fields, name: string): string | undefined {
  const value = fields.optionalString(name);
  if (value === undefined || (value.length <= 253 && /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(value))) return value;
  return fields.refuse(
    name,
    `expected a name of lower-case letters, digits, "-" and ".", got ${JSON.stringify(value.slice(0, 60))}`,
  );
}
