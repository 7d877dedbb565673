// Which policies select a workload. Indexed by namespace and by one label of the selector, so that a workload looks at
// few policies where there are thousands.
import { type Labels, selects } from "../kube/selector.ts";
import type { PolicyScope } from "./compile.ts";

interface Selectable {
  readonly scope: PolicyScope;
}

export class PolicyIndex<Policy extends Selectable> {
  /** Namespace, or none for the whole mesh -> "label=value" of one label, or "" without labels -> policies. */
  readonly #policies = new Map<string | undefined, Map<string, Set<Policy>>>();

  add(policy: Policy): void {
    const { namespace, labels } = policy.scope;
    const byLabel = this.#policies.get(namespace) ?? new Map<string, Set<Policy>>();
    this.#policies.set(namespace, byLabel);
    const group = byLabel.get(labelOf(labels)) ?? new Set();
    byLabel.set(labelOf(labels), group.add(policy));
  }

  remove(policy: Policy): void {
    const { namespace, labels } = policy.scope;
    const byLabel = this.#policies.get(namespace);
    const group = byLabel?.get(labelOf(labels));
    group?.delete(policy);
    if (group?.size === 0) byLabel?.delete(labelOf(labels));
    if (byLabel?.size === 0) this.#policies.delete(namespace);
  }

  /** Policies that select a workload with these labels, in no particular order. */
  select(namespace: string, labels: Labels): Policy[] {
    const found: Policy[] = [];
    for (const byLabel of [this.#policies.get(undefined), this.#policies.get(namespace)]) {
      if (byLabel === undefined) continue;
      found.push(...(byLabel.get("") ?? []));
      for (const name in labels) {
        for (const policy of byLabel.get(`${name}=${labels[name]}`) ?? []) {
          if (selects(policy.scope.labels, labels)) found.push(policy);
        }
      }
    }
    return found;
  }
}

/** The last label by name: `app` sorts first and is often shared by all that a namespace runs. */
function labelOf(labels: Labels): string {
  const name = Object.keys(labels).sort().at(-1);
  return name === undefined ? "" : `${name}=${labels[name]}`;
}
