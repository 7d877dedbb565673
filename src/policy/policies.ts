// All policies, kept up to date: compiled once for each revision, with the last good revision of each at hand.
import { hash } from "node:crypto";
import type { AuthorizationPolicy } from "../kube/authorization-policy.ts";
import type { ResourceKey } from "../kube/resources.ts";
import type { Labels } from "../kube/selector.ts";
import type { Ids } from "../mesh/ids.ts";
import type { Touched } from "../mesh/store.ts";
import { type CompiledPolicy, compilePolicy, denyInPlaceOf, type PolicyScope } from "./compile.ts";
import type { Policy, PolicyCondition } from "./policy.ts";
import { PolicyIndex } from "./select.ts";
import type { Rule } from "./wire.ts";

/** One revision of a policy, as it is in force. */
export interface PolicyRevision {
  readonly policy: Policy;
  /** False: the evaluator does not get it. */
  readonly applied: boolean;
  readonly scope: PolicyScope;
  readonly rules: readonly Rule[];
  /** A rule of it depends on the destination port. */
  readonly namesPorts: boolean;
}

export interface PoliciesOptions {
  readonly ids: Ids;
  readonly rootNamespaces: readonly string[];
}

interface Entry {
  readonly idName: string;
  readonly good: CompiledPolicy | undefined;
  readonly revision: PolicyRevision;
}

export class Policies {
  readonly #options: PoliciesOptions;
  readonly #entries = new Map<ResourceKey, Entry>();
  readonly #index = new PolicyIndex<PolicyRevision>();

  constructor(options: PoliciesOptions) {
    this.#options = options;
  }

  /** Takes in a change; answers what became of each policy it concerns. */
  update(touched: readonly Touched[]): { before: PolicyRevision | undefined; after: PolicyRevision | undefined }[] {
    const changed = [];
    for (const { key, before: old, after: object } of touched) {
      if ((object ?? old)?.kind !== "AuthorizationPolicy") continue;
      const before = this.#entries.get(key);
      const after = object === undefined ? undefined : this.#revise(object as AuthorizationPolicy, before);
      if (after === undefined) this.#entries.delete(key);
      else this.#entries.set(key, after);
      if (before !== undefined && before.idName !== after?.idName) this.#options.ids.release("policy", before.idName);
      if (before?.revision.applied) this.#index.remove(before.revision);
      if (after?.revision.applied) this.#index.add(after.revision);
      changed.push({ before: before?.revision, after: after?.revision });
    }
    return changed;
  }

  /** Applied policies that select a workload, dry-run ones included, in an order that does not depend on their ids. */
  select(namespace: string, labels: Labels): PolicyRevision[] {
    return this.#index.select(namespace, labels).sort(byName);
  }

  #revise(object: AuthorizationPolicy, before: Entry | undefined): Entry {
    const { policy, invalid } = compilePolicy(object, this.#options.rootNamespaces);
    const good = invalid.length === 0 ? policy : before?.good;
    const effective = good ?? denyInPlaceOf(policy);
    const { scope, rules, applied, conditions, ...info } = effective;
    const refusal = refused(invalid, before?.good !== undefined);
    // The same content has the same id, after a restart, too, so that verdicts in the kernel keep their names.
    const content = JSON.stringify(effective, (_, value) => (value instanceof Uint8Array ? [...value] : value));
    const idName = `${object.group} ${info.namespace}/${info.name} ${hash("sha256", content, "base64url").slice(0, 16)}`;
    const revision: PolicyRevision = Object.freeze({
      policy: {
        id: this.#options.ids.id("policy", idName),
        ...info,
        conditions: refusal === undefined ? conditions : [refusal, ...conditions.slice(1)],
      },
      applied,
      scope,
      rules,
      namesPorts: rules.some(namesPorts),
    });
    return { idName, good, revision };
  }
}

function refused(invalid: readonly string[], keptGood: boolean): PolicyCondition | undefined {
  if (invalid.length === 0) return undefined;
  const instead = keptGood
    ? "the revision before it stays in force"
    : "it fails closed: what it selects is denied until it is right";
  return { type: "Accepted", status: false, reason: "Invalid", message: `${invalid.join("; ")}; ${instead}` };
}

function namesPorts(rule: Rule): boolean {
  return rule.to.length > 0 || rule.when.some(({ ports, notPorts }) => ports !== undefined || notPorts !== undefined);
}

function byName(left: PolicyRevision, right: PolicyRevision): number {
  return compare(left.policy.namespace, right.policy.namespace) || compare(left.policy.name, right.policy.name);
}

const compare = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);
