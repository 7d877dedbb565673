// An AuthorizationPolicy becomes what the evaluator gets. Pure. Three decisions are made here:
//
// Fields that cannot be decided at L4 fail closed. An ALLOW rule with one never matches, while its policy stays and
// goes on to deny what its other rules do not allow. A DENY or CUSTOM rule keeps what can be decided: it matches more
// than it says, everything if nothing is left. A condition names each such field.
//
// An invalid policy (a bad address block, an empty value, an unknown action, selector beside targetRefs, a field of
// spec that nobody knows) is never dropped. The caller keeps the last good revision if there is one; else what
// `denyInPlaceOf` answers stands in: ALLOW without rules, which denies whatever no other policy allows; for DENY, CUSTOM
// and actions nobody knows, a DENY of everything the policy selects. Stricter than Istio, whose API server would have
// refused the object: values that can never match, such as a principal with spiffe://, are invalid, too.
//
// CUSTOM denies where a rule matches, because its provider cannot be asked. AUDIT has no effect.
import type { AuthorizationPolicy } from "../kube/authorization-policy.ts";
import type { Labels } from "../kube/selector.ts";
import type { PolicyAction, PolicyCondition } from "./policy.ts";
import { type CompiledRule, compileRule } from "./rule.ts";
import { ruleText } from "./rules-text.ts";
import type { Rule } from "./wire.ts";

export interface PolicyScope {
  /** Undefined: the whole mesh. */
  readonly namespace: string | undefined;
  /** Empty: every workload there. */
  readonly labels: Labels;
}

export interface CompiledPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly action: PolicyAction;
  readonly dryRun: boolean;
  /** False: it applies to no connection, and its conditions say why. */
  readonly applied: boolean;
  readonly scope: PolicyScope;
  readonly rules: readonly Rule[];
  readonly rulesText: readonly string[];
  readonly conditions: readonly PolicyCondition[];
}

export interface Compilation {
  /** Meant for use only if nothing is invalid. */
  readonly policy: CompiledPolicy;
  /** What is wrong, a clause each. */
  readonly invalid: readonly string[];
}

/** Policies in one of `rootNamespaces` select in the whole mesh. */
export function compilePolicy(object: AuthorizationPolicy, rootNamespaces: readonly string[]): Compilation {
  const { namespace, name, annotations } = object.metadata;
  const compiled = object.rules.map((rule, index) => compileRule(rule, index, namespace));
  const action = actionOf(object);
  const targeted = object.targetRefs > 0 && object.selector === undefined;
  const policy: CompiledPolicy = {
    namespace,
    name,
    action: action ?? "DENY",
    dryRun: /^(1|t|true)$/i.test(annotations["istio.io/dry-run"] ?? ""),
    applied: !targeted && action !== "AUDIT",
    scope: {
      namespace: rootNamespaces.includes(namespace) ? undefined : namespace,
      // A label that cannot be is reported; without it the policy selects what it was meant to, and more.
      labels: Object.fromEntries(Object.entries(object.selector ?? {}).filter(isLabel)),
    },
    rules: compiled.filter((rule) => action !== "ALLOW" || rule.undecided.length === 0).map(({ rule }) => rule),
    rulesText: object.rules.map(ruleText),
    conditions: [accepted, ...unsupported(action ?? "DENY", targeted, compiled)],
  };
  const ofRules = compiled.flatMap(({ invalid }, index) => invalid.map((what) => `rule ${index}: ${what}`));
  return { policy, invalid: [...ofObject(object, action), ...ofRules] };
}

/** What stands in for an invalid policy that has no good revision. */
export function denyInPlaceOf(policy: CompiledPolicy): CompiledPolicy {
  if (!policy.applied) return policy;
  if (policy.action === "ALLOW") return { ...policy, rules: [] };
  return { ...policy, action: "DENY", rules: [{ index: 0, from: [], to: [], when: [] }] };
}

function actionOf(object: AuthorizationPolicy): PolicyAction | undefined {
  return actions.find((action) => action === object.action);
}

function ofObject(object: AuthorizationPolicy, action: PolicyAction | undefined): string[] {
  const invalid: string[] = [];
  if (action === undefined) {
    invalid.push(`action ${JSON.stringify(object.action)} is none of ${actions.join(", ")}`);
  }
  if (object.selector !== undefined && object.targetRefs > 0)
    invalid.push("selector and targetRefs exclude each other");
  for (const [label, value] of Object.entries(object.selector ?? {})) {
    if (!isLabel([label, value])) invalid.push(`selector ${JSON.stringify(`${label}: ${value}`)} is not a label`);
  }
  return [...invalid, ...object.unknown.map((field) => `spec.${field} is a field nobody knows`)];
}

function unsupported(action: PolicyAction, targeted: boolean, rules: readonly CompiledRule[]): PolicyCondition[] {
  const conditions: PolicyCondition[] = [];
  const add = (reason: string, message: string) =>
    conditions.push({ type: "Unsupported", status: true, reason, message });
  if (targeted)
    add("TargetRefs", "not applied: targetRefs name gateways and Services, and only workloads are enforced");
  if (action === "AUDIT") add("Audit", "AUDIT is accepted and has no effect");
  if (action === "CUSTOM") add("Custom", "CUSTOM denies whatever a rule matches: its provider cannot be asked");
  const consequence =
    action === "ALLOW"
      ? "the rule never matches"
      : "the rule matches without regard to it, so it denies more than it says";
  for (const [index, { undecided }] of rules.entries()) {
    if (undecided.length === 0) continue;
    add("Undecided", `rule ${index}: ${undecided.join(", ")} cannot be decided at L4: ${consequence}`);
  }
  return conditions;
}

const isLabel = ([label, value]: [string, string]): boolean => label !== "" && !`${label}${value}`.includes("*");

const accepted: PolicyCondition = { type: "Accepted", status: true, reason: "Accepted", message: "in force" };

const actions = ["ALLOW", "DENY", "CUSTOM", "AUDIT"] as const;
