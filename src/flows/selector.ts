// Kubernetes label selectors over labels with a source, such as "k8s:app=web" and "reserved:world".
import { WeirError } from "../errors.ts";

interface Requirement {
  /** "any" matches every source. */
  readonly source: string;
  readonly key: string;
  readonly operator: "exists" | "absent" | "in" | "notin";
  readonly values: readonly string[];
}

/** Compiles `a=b,c!=d,e in (x,y),!f,g`; every part must hold. A key may be prefixed with a source: `k8s:app`. */
export function compileSelector(text: string): (labels: readonly string[]) => boolean {
  const requirements = splitOutsideParentheses(text).map(parseRequirement);
  return (labels) => requirements.every((requirement) => holds(requirement, labels));
}

function parseRequirement(text: string): Requirement {
  const set = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(text);
  if (set !== null) {
    const [, key = "", operator = "in", values = ""] = set;
    return { ...parseKey(key), operator: operator as "in", values: values.split(",").map((value) => value.trim()) };
  }
  const equality = /^([^=!\s]+)\s*(!=|==|=)\s*([^=!\s]*)$/.exec(text);
  if (equality !== null) {
    const [, key = "", operator = "=", value = ""] = equality;
    return { ...parseKey(key), operator: operator === "!=" ? "notin" : "in", values: [value] };
  }
  const presence = /^(!?)\s*([^=!\s()]+)$/.exec(text);
  if (presence === null) throw new WeirError("QUERY_INVALID", { why: `"${text}" is not a label selector` });
  return { ...parseKey(presence[2]!), operator: presence[1] === "!" ? "absent" : "exists", values: [] };
}

function parseKey(text: string): { source: string; key: string } {
  const colon = text.indexOf(":");
  return colon < 0 ? { source: "any", key: text } : { source: text.slice(0, colon), key: text.slice(colon + 1) };
}

function holds(requirement: Requirement, labels: readonly string[]): boolean {
  const value = labelValue(requirement, labels);
  switch (requirement.operator) {
    case "exists":
      return value !== undefined;
    case "absent":
      return value === undefined;
    case "in":
      return value !== undefined && requirement.values.includes(value);
    case "notin":
      return value === undefined || !requirement.values.includes(value);
  }
}

function labelValue(requirement: Requirement, labels: readonly string[]): string | undefined {
  for (const label of labels) {
    const equals = label.indexOf("=");
    const { source, key } = parseKey(equals < 0 ? label : label.slice(0, equals));
    if (key !== requirement.key) continue;
    if (requirement.source === "any" || requirement.source === source) return equals < 0 ? "" : label.slice(equals + 1);
  }
  return undefined;
}

function splitOutsideParentheses(text: string): string[] {
  const parts = text.split(/,(?![^(]*\))/).map((part) => part.trim());
  if (parts.some((part) => part === ""))
    throw new WeirError("QUERY_INVALID", { why: `"${text}" is not a label selector` });
  return parts;
}
