// An AuthorizationPolicy with Istio's schema (security.istio.io, weir.dev): types are checked here, meaning is given to
// it in src/policy. Fields this schema does not know are kept by name, because ignoring one could widen a rule.
import type { Fields } from "./fields.ts";
import { type Metadata, readMetadata } from "./metadata.ts";

/** Field name -> values, as in `principals: [...]`; an empty list counts as absent, as it does for Istio. */
export type FieldValues = ReadonlyMap<string, readonly string[]>;

export interface ConditionSpec {
  readonly key: string;
  readonly values: readonly string[];
  readonly notValues: readonly string[];
}

export interface RuleSpec {
  /** Absent: any source. */
  readonly from: readonly FieldValues[] | undefined;
  /** Absent: any operation. */
  readonly to: readonly FieldValues[] | undefined;
  readonly when: readonly ConditionSpec[] | undefined;
  /** Paths inside the rule that the schema does not know. */
  readonly unknown: readonly string[];
}

export interface AuthorizationPolicy {
  readonly kind: "AuthorizationPolicy";
  /** API group it was written for: security.istio.io or weir.dev. */
  readonly group: string;
  readonly metadata: Metadata;
  /** Absent: everything in the namespace. */
  readonly selector: Readonly<Record<string, string>> | undefined;
  readonly targetRefs: number;
  /** As written; ALLOW when absent. */
  readonly action: string;
  readonly rules: readonly RuleSpec[];
  /** Fields of spec that the schema does not know. */
  readonly unknown: readonly string[];
}

export function readAuthorizationPolicy(object: Fields): AuthorizationPolicy {
  const spec = object.object("spec");
  const selector = spec.object("selector");
  spec.object("provider").optionalString("name");
  return {
    kind: "AuthorizationPolicy",
    group: object.string("apiVersion").split("/")[0] ?? "",
    metadata: readMetadata(object, "namespace"),
    selector: spec.has("selector") ? selector.stringMap("matchLabels") : undefined,
    targetRefs: spec.list("targetRefs", (ref) => ref.string("name")).length + (spec.has("targetRef") ? 1 : 0),
    action: spec.optionalString("action") ?? "ALLOW",
    rules: spec.list("rules", readRule),
    unknown: [
      ...unknownNames(spec, ["selector", "targetRef", "targetRefs", "action", "rules", "provider"]),
      ...unknownNames(selector, ["matchLabels"]).map((name) => `selector.${name}`),
    ],
  };
}

function readRule(rule: Fields): RuleSpec {
  const unknown = unknownNames(rule, ["from", "to", "when"]);
  const entries = (list: string, wrapper: string) =>
    rule.list(list, (entry) => {
      unknown.push(...unknownNames(entry, [wrapper]).map((name) => `${list}.${name}`));
      return readValues(entry.object(wrapper));
    });
  const from = entries("from", "source");
  const to = entries("to", "operation");
  const when = rule.list("when", (entry) => {
    unknown.push(...unknownNames(entry, ["key", "values", "notValues"]).map((name) => `when.${name}`));
    return { key: entry.string("key"), values: entry.strings("values"), notValues: entry.strings("notValues") };
  });
  return {
    from: rule.has("from") ? from : undefined,
    to: rule.has("to") ? to : undefined,
    when: rule.has("when") ? when : undefined,
    unknown,
  };
}

function readValues(fields: Fields): FieldValues {
  const all = fields.names.map((name) => [name, fields.strings(name)] as const);
  return new Map(all.filter(([, values]) => values.length > 0));
}

function unknownNames(fields: Fields, known: readonly string[]): string[] {
  return fields.names.filter((name) => !known.includes(name));
}
