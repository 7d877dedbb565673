// The verdict of a row in words: why, by which policy and rule, and what the dry-run policies would have said.
import type { Names } from "../mesh/names.ts";
import type { PolicyAction } from "../policy/policy.ts";
import { reasonAt } from "./reason.ts";
import { Action, type FlowRecord, Kind, type RecordVerdict } from "./record.ts";

export type FlowVerdict = "allowed" | "denied";

export interface FlowPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly action: PolicyAction;
}

export interface FlowReason {
  /** Name in src/flows/reason.ts. */
  readonly code: string;
  /** A sentence that names policy and rule. */
  readonly text: string;
  readonly policy?: FlowPolicy;
  readonly rule?: { readonly index: number; readonly text: string };
}

export interface FlowDryRun {
  readonly verdict: FlowVerdict;
  readonly text: string;
  readonly policy?: FlowPolicy;
}

export const verdictOf = (record: Pick<FlowRecord, "kind" | "verdict">): FlowVerdict =>
  record.kind === Kind.deny || record.verdict.action === Action.deny ? "denied" : "allowed";

export function reasonOf(verdict: RecordVerdict, names: Names): FlowReason {
  const reason = reasonAt(verdict.reason);
  const policy = names.policy(verdict.policy);
  if (policy === undefined) return { code: reason.code, text: reason.sentence };
  const named = { namespace: policy.namespace, name: policy.name, action: policy.action };
  const by = `${policy.action} policy ${policy.namespace}/${policy.name}`;
  const ruleText = policy.rulesText[verdict.rule];
  if (ruleText === undefined || !decidedByRule.has(reason.code))
    return { code: reason.code, text: `${reason.sentence} (${by})`, policy: named };
  return {
    code: reason.code,
    text: `${reason.sentence} (${by}, rule ${verdict.rule}: ${ruleText})`,
    policy: named,
    rule: { index: verdict.rule, text: ruleText },
  };
}

/** Undefined when no dry-run policy selects the destination. */
export function dryRunOf(verdict: RecordVerdict, names: Names): FlowDryRun | undefined {
  if (verdict.dryRunAction === Action.none) return undefined;
  const outcome = verdict.dryRunAction === Action.deny ? "denied" : "allowed";
  const policy = names.policy(verdict.dryRunPolicy);
  if (policy === undefined) return { verdict: outcome, text: `would be ${outcome} by the dry-run policies` };
  const rule = policy.rulesText[verdict.dryRunRule];
  const detail = rule === undefined ? "" : `, rule ${verdict.dryRunRule}: ${rule}`;
  return {
    verdict: outcome,
    text: `would be ${outcome} (dry-run ${policy.action} policy ${policy.namespace}/${policy.name}${detail})`,
    policy: { namespace: policy.namespace, name: policy.name, action: policy.action },
  };
}

const decidedByRule: ReadonlySet<string> = new Set(["ALLOW_RULE", "DENY_RULE", "CUSTOM"]);
