// A rule as one line of text, as `weir get policies` and `weir why` show it.
import type { FieldValues, RuleSpec } from "../kube/authorization-policy.ts";

/** For example: from (namespaces: shop) or (principals: a, b) to (ports: 8080) when source.ip: 10.0.0.0/8 */
export function ruleText(rule: RuleSpec): string {
  const parts: string[] = [];
  if (rule.from !== undefined) parts.push(`from ${alternatives(rule.from)}`);
  if (rule.to !== undefined) parts.push(`to ${alternatives(rule.to)}`);
  for (const condition of rule.when ?? []) {
    const values = condition.values.length > 0 ? `: ${list(condition.values)}` : "";
    const notValues = condition.notValues.length > 0 ? ` but not: ${list(condition.notValues)}` : "";
    parts.push(`when ${condition.key}${values}${notValues}`);
  }
  if (rule.unknown.length > 0) parts.push(`with unknown ${rule.unknown.join(", ")}`);
  return parts.length === 0 ? "everything" : parts.join(" ");
}

function alternatives(entries: readonly FieldValues[]): string {
  return entries
    .map((fields) => `(${[...fields].map(([name, values]) => `${name}: ${list(values)}`).join("; ")})`)
    .join(" or ");
}

function list(values: readonly string[]): string {
  const shown = values.slice(0, 16).join(", ");
  return values.length > 16 ? `${shown} and ${values.length - 16} more` : shown;
}
