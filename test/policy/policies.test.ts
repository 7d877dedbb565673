import test, { type ExecutionContext } from "ava";
import type { AuthorizationPolicy } from "../../src/kube/authorization-policy.ts";
import { resourceKey } from "../../src/kube/resources.ts";
import { Policies, type PolicyRevision } from "../../src/policy/policies.ts";
import { ids, policy } from "../helpers/resources.ts";

const good = { action: "ALLOW", rules: [{ from: [{ source: { namespaces: ["a"] } }] }] };
const bad = { action: "ALLOW", rules: [{ from: [{ source: { ipBlocks: ["x"] } }] }] };

function setUp(t: ExecutionContext) {
  const policies = new Policies({ ids: ids(t), rootNamespaces: ["istio-system"] });
  const known = new Map<string, AuthorizationPolicy>();
  const put = (after: AuthorizationPolicy): PolicyRevision | undefined => {
    const key = resourceKey(after);
    const [change] = policies.update([{ key, before: known.get(key), after }]);
    known.set(key, after);
    return change?.after;
  };
  return { policies, put };
}

test("a changed policy is a new revision with a new id, and the same content has the same id again", (t) => {
  const { put } = setUp(t);
  const first = put(policy("shop", "p", good));
  const second = put(policy("shop", "p", { ...good, action: "DENY" }));
  t.not(first?.policy.id, second?.policy.id);
  t.is(put(policy("shop", "p", good))?.policy.id, first?.policy.id);
});

test("an invalid revision leaves the last good one in force, and says so", (t) => {
  const { put } = setUp(t);
  const first = put(policy("shop", "p", good));
  const kept = put(policy("shop", "p", bad));
  t.is(kept?.policy.id, first?.policy.id);
  t.deepEqual(kept?.rules, first?.rules);
  t.like(kept?.policy.conditions[0], { type: "Accepted", status: false, reason: "Invalid" });
  t.regex(kept?.policy.conditions[0]?.message ?? "", /"x" is not an IP address.*the revision before it stays in force/);
});

test("an invalid policy without a good revision fails closed, and says so", (t) => {
  const { put, policies } = setUp(t);
  const revision = put(policy("shop", "p", bad));
  t.deepEqual(revision?.rules, []);
  t.like(revision?.policy, { action: "ALLOW", conditions: [{ status: false }] });
  t.deepEqual(policies.select("shop", {}), [revision as PolicyRevision]);
});

test("policies that are not applied are known, and select nothing", (t) => {
  const { put, policies } = setUp(t);
  const audit = put(policy("shop", "p", { ...good, action: "AUDIT" }));
  t.is(audit?.policy.action, "AUDIT");
  t.deepEqual(policies.select("shop", {}), []);
});

test("policies select by namespace, label and root namespace, sorted by name", (t) => {
  const { put, policies } = setUp(t);
  const web = { selector: { matchLabels: { app: "web", tier: "front" } } };
  put(policy("shop", "z", { ...good }));
  put(policy("shop", "web", { ...good, ...web }));
  put(policy("istio-system", "mesh", good));
  put(policy("istio-system", "mesh-web", { ...good, selector: { matchLabels: { app: "web" } } }));
  put(policy("other", "other", good));
  const names = (namespace: string, labels: Record<string, string>) =>
    policies.select(namespace, labels).map((revision) => revision.policy.name);
  t.deepEqual(names("shop", { app: "web", tier: "front" }), ["mesh", "mesh-web", "web", "z"]);
  t.deepEqual(names("shop", { app: "web" }), ["mesh", "mesh-web", "z"]);
  t.deepEqual(names("shop", {}), ["mesh", "z"]);
  t.deepEqual(names("elsewhere", { app: "web" }), ["mesh", "mesh-web"]);
});

test("a policy that names ports says so, whichever way it names them", (t) => {
  const { put } = setUp(t);
  const namesPorts = (rule: object) => put(policy("shop", "p", { rules: [rule] }))?.namesPorts;
  t.true(namesPorts({ to: [{ operation: { ports: ["80"] } }] }));
  t.true(namesPorts({ to: [{ operation: { notPorts: ["80"] } }] }));
  t.true(namesPorts({ when: [{ key: "destination.port", notValues: ["80"] }] }));
  t.false(namesPorts({ when: [{ key: "destination.ip", values: ["10.0.0.1"] }] }));
  t.false(namesPorts({ from: [{ source: { namespaces: ["a"] } }] }));
});

test("a removed policy selects nothing any more", (t) => {
  const { put, policies } = setUp(t);
  const object = policy("shop", "p", { ...good, selector: { matchLabels: { app: "web" } } });
  put(object);
  policies.update([{ key: resourceKey(object), before: object, after: undefined }]);
  t.deepEqual(policies.select("shop", { app: "web" }), []);
});
