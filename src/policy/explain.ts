// An answer of the evaluator in sentences: which policy, rule and clause decided, or what came nearest to allowing.
import type { Names } from "../mesh/names.ts";
import type { Answer, Considered } from "./questions.ts";

export interface Explanation {
  readonly allowed: boolean;
  /** What decided. */
  readonly decision: string;
  /** The rule that fell shortest of allowing; absent unless no ALLOW policy matched. */
  readonly nearest: string | undefined;
  /** What the dry-run policies would have said; absent when none selects the destination. */
  readonly dryRun: string | undefined;
  /** What is worth knowing about the policies that were considered: parts that are not decided, invalid ones. */
  readonly notes: readonly string[];
  /** Every rule that was considered, one line each. */
  readonly considered: readonly string[];
}

export function explain(answer: Answer, names: Names): Explanation {
  return {
    allowed: answer.action !== actions.deny,
    decision: decisionOf(answer, names),
    nearest: answer.reason === reasons.noAllowMatch ? nearestMiss(answer.considered, names) : undefined,
    dryRun: dryRunOf(answer, names),
    notes: notesOf(answer, names),
    considered: answer.considered.map((considered) => lineOf(considered, names)),
  };
}

function decisionOf(answer: Answer, names: Names): string {
  const rule = ruleName(answer.policy, answer.rule, names);
  switch (answer.reason) {
    case reasons.noPolicy:
      return "allowed: no ALLOW policy selects the destination, and no DENY policy matched";
    case reasons.allowRule:
      return `allowed by ${rule}`;
    case reasons.self:
      return "allowed: a pod may always reach itself";
    case reasons.notCaptured:
      return "allowed: the destination is not in the mesh, so no policy is enforced on it";
    case reasons.denyRule:
      return `denied by ${rule}`;
    case reasons.custom:
      return `denied by ${rule}: its provider cannot be asked`;
    case reasons.noAllowMatch:
      return "denied: ALLOW policies select the destination, and none of their rules matched";
    default:
      return `${answer.action === actions.deny ? "denied" : "allowed"} for reason ${answer.reason}`;
  }
}

/** The rule of an enforced ALLOW policy with the fewest clauses unmatched, the one with the most matched among equals. */
function nearestMiss(considered: readonly Considered[], names: Names): string | undefined {
  const candidates = considered.filter(({ policy, matched }) => {
    const info = names.policy(policy);
    return !matched && info?.action === "ALLOW" && !info.dryRun;
  });
  const best = candidates.sort((left, right) => misses(left) - misses(right) || matches(right) - matches(left))[0];
  if (best === undefined) return "no ALLOW policy that selects it has a rule that could match";
  const failed = best.clauses.filter((clause) => !clause.matched);
  const short =
    matches(best) === 0 ? "nothing of it matched" : `all but ${failed.map(({ name }) => `\`${name}\``).join(", ")}`;
  return `nearest: ${ruleName(best.policy, best.rule, names)}, ${short}: ${failed.map(({ mismatch }) => mismatch).join("; ")}`;
}

const misses = ({ clauses }: Considered): number => clauses.filter((clause) => !clause.matched).length;
const matches = ({ clauses }: Considered): number => clauses.filter((clause) => clause.matched).length;

function dryRunOf(answer: Answer, names: Names): string | undefined {
  if (answer.dryRunAction === actions.none) return undefined;
  const outcome = answer.dryRunAction === actions.deny ? "denied" : "allowed";
  if (answer.dryRunPolicy === 0) return `dry-run policies would have it ${outcome}`;
  return `dry run: would be ${outcome} by ${ruleName(answer.dryRunPolicy, answer.dryRunRule, names)}`;
}

function notesOf(answer: Answer, names: Names): string[] {
  const ids = new Set([answer.policy, ...answer.considered.map(({ policy }) => policy)]);
  return [...ids].flatMap((id) => {
    const policy = names.policy(id);
    const worthKnowing = policy?.conditions.filter(({ type, status }) => type === "Unsupported" || !status) ?? [];
    return worthKnowing.map(({ message }) => `${policy?.namespace}/${policy?.name}: ${message}`);
  });
}

function lineOf(considered: Considered, names: Names): string {
  const failed = considered.clauses.filter((clause) => !clause.matched);
  const outcome = considered.matched
    ? "matched"
    : `did not match: ${failed.map(({ name, mismatch }) => `${name} (${mismatch})`).join(", ")}`;
  return `${ruleName(considered.policy, considered.rule, names)} ${outcome}`;
}

/** For example: ALLOW shop/allow-web rule 0 [from (namespaces: shop)] */
function ruleName(id: number, rule: number, names: Names): string {
  const policy = names.policy(id);
  if (policy === undefined) return `policy ${id}, which is no longer known`;
  const text = policy.rulesText[rule];
  return `${policy.action} ${policy.namespace}/${policy.name} rule ${rule}${text === undefined ? "" : ` [${text}]`}`;
}

/** Of bpf/abi.h, as far as an evaluation can give them. */
const actions = { none: 0, deny: 2 } as const;
const reasons = {
  noPolicy: 1,
  allowRule: 2,
  self: 3,
  notCaptured: 4,
  denyRule: 6,
  noAllowMatch: 7,
  custom: 8,
} as const;
