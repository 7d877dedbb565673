import { mkdirSync, rmSync } from "node:fs";
import test from "ava";
import { parseAddress } from "../../src/mesh/address.ts";
import { Ids } from "../../src/mesh/ids.ts";
import { Desired } from "../../src/snapshot/desired.ts";
import { changesNothing, type SnapshotChange } from "../../src/snapshot/diff.ts";
import { desired, namespace, pod, policy, scratch, service, slice, upsert } from "../helpers/resources.ts";

const allow = (from: string, spec: object = {}) => ({
  rules: [{ from: [{ source: { namespaces: [from] } }] }],
  ...spec,
});
const named = (change: SnapshotChange) => change.workloads.upserted.map(({ workload }) => workload.name);
const regenerated = (change: SnapshotChange) => change.regenerated.map(({ workload }) => workload.name);

test("a change leads to exactly the workloads, services and policies it concerns", (t) => {
  const state = desired(t);
  const first = state.apply(
    upsert(
      namespace("shop"),
      pod("shop", "web", "10.0.0.1"),
      pod("shop", "db", "10.0.0.2"),
      service("shop", "web", { clusterIP: "10.96.0.1", selector: { app: "web" }, ports: [{ port: 80 }] }),
      policy("shop", "p", allow("shop")),
    ),
  );
  t.deepEqual(named(first), ["web", "db"]);
  t.deepEqual(
    first.services.upserted.map(({ name }) => name),
    ["web"],
  );
  t.deepEqual(
    first.policies.added.map((revision) => revision.policy.name),
    ["p"],
  );
  t.deepEqual(first.regenerated, []);
  t.deepEqual(
    [...state.snapshot.workloads.values()].map(({ policies }) => policies.length),
    [1, 1],
  );

  const second = state.apply(upsert(pod("shop", "web", "10.0.0.3")));
  t.deepEqual(named(second), ["web"]);
  t.deepEqual(
    second.services.upserted.map(({ name }) => name),
    ["web"],
  );
  t.deepEqual(second.policies, { added: [], removed: [] });
  t.deepEqual(second.regenerated, []);
});

test("a change that says nothing new changes nothing", (t) => {
  const state = desired(t);
  const objects = [
    namespace("shop"),
    pod("shop", "web", "10.0.0.1"),
    service("shop", "web", { selector: { app: "web" } }),
  ];
  state.apply(upsert(...objects));
  const again = state.apply(
    upsert(namespace("shop"), pod("shop", "web", "10.0.0.1"), service("shop", "web", { selector: { app: "web" } })),
  );
  t.true(changesNothing(again));
  t.true(again.next.version > again.previous.version);
});

test("a policy that changes, comes or goes regenerates the workloads it selects, and no others", (t) => {
  const state = desired(t);
  state.apply(upsert(namespace("shop"), pod("shop", "web", "10.0.0.1"), pod("shop", "db", "10.0.0.2")));
  const web = { selector: { matchLabels: { app: "web" } } };
  const generations = [];
  for (const from of ["a", "b"]) {
    const change = state.apply(upsert(policy("shop", "p", allow(from, web))));
    t.deepEqual(regenerated(change), ["web"]);
    t.is(change.policies.added.length, 1);
    t.is(change.policies.removed.length, from === "a" ? 0 : 1);
    generations.push(change.regenerated[0]?.generation ?? 0);
  }
  const moved = state.apply(upsert(policy("shop", "p", allow("b", { selector: { matchLabels: { app: "db" } } }))));
  t.deepEqual(regenerated(moved).sort(), ["db", "web"]);
  const gone = state.apply({ upserts: [], deletes: ["AuthorizationPolicy.security.istio.io shop/p"] });
  t.deepEqual(regenerated(gone), ["db"]);
  generations.push(moved.regenerated[0]?.generation ?? 0, gone.regenerated[0]?.generation ?? 0);
  t.deepEqual(
    generations,
    [...new Set(generations)].sort((left, right) => left - right),
  );
});

test("a pod that takes other labels is guarded by other policies", (t) => {
  const state = desired(t);
  const front = { selector: { matchLabels: { tier: "front" } } };
  state.apply(upsert(namespace("shop"), pod("shop", "web", "10.0.0.1"), policy("shop", "p", allow("a", front))));
  const metadata = { labels: { tier: "front" } };
  t.deepEqual(regenerated(state.apply(upsert(pod("shop", "web", "10.0.0.1", { metadata })))), ["web"]);
});

test("only captured workloads are guarded, and enrolling makes a new generation", (t) => {
  const state = desired(t);
  state.apply(upsert(namespace("shop", {}), pod("shop", "web", "10.0.0.1"), policy("shop", "p", allow("a"))));
  const [before] = state.snapshot.workloads.values();
  t.like(before, { policies: [], generation: 0, workload: { captured: false } });
  const change = state.apply(upsert(namespace("shop")));
  const [after] = change.workloads.upserted;
  t.like(after, { workload: { captured: true } });
  t.is(after?.policies.length, 1);
  t.true((after?.generation ?? 0) > 0);
});

test("a workload that left the mesh joins it in a new generation, and keeps the connections it has", (t) => {
  const state = desired(t);
  const out = namespace("shop", {});
  const first = state.apply(upsert(namespace("shop"), pod("shop", "web", "10.0.0.1"), policy("shop", "p", allow("a"))));
  const left = state.apply(upsert(out));
  t.is(left.workloads.upserted[0]?.generation, 0);
  state.apply({ upserts: [], deletes: ["AuthorizationPolicy.security.istio.io shop/p"] });
  const again = state.apply(upsert(namespace("shop")));
  const [before, after] = [first, again].map(({ workloads }) => workloads.upserted[0]?.generation ?? 0);
  t.true(after! > before!, "what was cached under the old policies is dead");
  t.deepEqual([...regenerated(left), ...regenerated(again)], []);
});

test("a workload of another node has its policies but no generation: nothing is cached for it here", (t) => {
  const state = desired(t);
  const remote = pod("shop", "web", "10.0.0.1", { spec: { nodeName: "b" } });
  const change = state.apply(upsert(namespace("shop"), remote, policy("shop", "p", allow("a"))));
  t.like(change.workloads.upserted[0], { generation: 0, workload: { captured: true, local: false } });
  t.is(change.workloads.upserted[0]?.policies.length, 1);
});

test("another pod of the same name, or with another identity, is another workload", (t) => {
  const state = desired(t);
  const uid = (value: string) => pod("shop", "web", "10.0.0.1", { metadata: { uid: value } });
  const first = state.apply(upsert(namespace("shop"), uid("u1"))).workloads.upserted[0]?.workload.id;
  const change = state.apply(upsert(uid("u2")));
  t.deepEqual(
    change.workloads.removed.map(({ workload }) => workload.id),
    [first],
  );
  const second = change.workloads.upserted[0]?.workload.id;
  t.not(second, first);
  const renamed = pod("shop", "web", "10.0.0.1", { metadata: { uid: "u2" }, spec: { serviceAccountName: "other" } });
  t.not(state.apply(upsert(renamed)).workloads.upserted[0]?.workload.id, second);
});

test("an address that a newer pod takes leaves the older one without capture, and is reported", (t) => {
  const state = desired(t);
  state.apply(upsert(namespace("shop"), pod("shop", "old", "10.0.0.1")));
  const change = state.apply(upsert(pod("shop", "new", "10.0.0.1")));
  t.deepEqual(named(change).sort(), ["new", "old"]);
  const old = change.workloads.upserted.find(({ workload }) => workload.name === "old")?.workload;
  t.like(old, { captured: false, addresses: [], notCaptured: "it has no address of its own" });
  t.deepEqual(state.problems(), [
    { where: "Pod shop/old", message: "its address 10.0.0.1 belongs to the newer Pod shop/new" },
  ]);
  t.is(state.names.workloadAt(parseAddress("10.0.0.1")!)?.name, "new");
  state.apply({ upserts: [], deletes: ["Pod shop/new"] });
  t.is(state.names.workloadAt(parseAddress("10.0.0.1")!)?.name, "old");
  t.deepEqual(state.problems(), []);
});

test("endpoints follow EndpointSlices, and pods again when the last slice is gone", (t) => {
  const state = desired(t);
  const spec = { selector: { app: "web" }, ports: [{ port: 80 }] };
  const endpoints = [{ addresses: ["10.1.0.1"] }, { addresses: ["10.1.0.2"] }];
  const count = () => [...state.snapshot.services.values()][0]?.ports[0]?.endpoints.length;
  state.apply(upsert(pod("shop", "web", "10.0.0.1"), service("shop", "web", spec)));
  t.is(count(), 1);
  state.apply(upsert(slice("shop", "web-1", "web", { ports: [{ port: 80 }], endpoints })));
  t.is(count(), 2);
  state.apply(upsert(slice("shop", "web-1", "other", { ports: [{ port: 80 }], endpoints })));
  t.is(count(), 1);
});

test("a Service that becomes an ExternalName is gone", (t) => {
  const state = desired(t);
  state.apply(upsert(service("shop", "web", { clusterIP: "10.96.0.1" })));
  const change = state.apply(upsert(service("shop", "web", { type: "ExternalName" })));
  t.is(change.services.removed.length, 1);
});

test("what is not right with accepted objects is told until it is", (t) => {
  const state = desired(t);
  state.apply(
    upsert(
      namespace("shop", { "weir.dev/capture": "maybe" }),
      pod("shop", "web", "10.0.0.1"),
      pod("shop", "db", "10.0.0.2"),
    ),
  );
  state.apply(upsert(policy("shop", "p", { action: "CUSTOM", rules: [{}] })));
  t.deepEqual(
    state.problems().map(({ where }) => where),
    ["Namespace shop", "AuthorizationPolicy shop/p"],
  );
  state.apply(upsert(namespace("shop"), policy("shop", "p", allow("a"))));
  t.deepEqual(state.problems(), []);
});

test("ids and policy ids are the same after a restart, generations are higher", (t) => {
  const stateDirectory = scratch(t);
  const run = () => {
    const ids = new Ids({ stateDirectory, floor: 0 });
    const state = new Desired({ node: "a", trustDomain: "cluster.local", rootNamespaces: [], ids });
    state.apply(upsert(namespace("shop"), pod("shop", "web", "10.0.0.1"), policy("shop", "p", allow("a"))));
    ids.close();
    const [guarded] = state.snapshot.workloads.values();
    return { id: guarded?.workload.id, policies: guarded?.policies, generation: guarded?.generation ?? 0 };
  };
  const [before, after] = [run(), run()];
  t.deepEqual({ ...before, generation: 0 }, { ...after, generation: 0 });
  t.true(after.generation > before.generation);
});

test("when ids cannot be stored nothing is made true, and the next change makes up for it", (t) => {
  const stateDirectory = scratch(t);
  const ids = new Ids({ stateDirectory, floor: 0 });
  const state = new Desired({ node: "a", trustDomain: "cluster.local", rootNamespaces: [], ids });
  rmSync(stateDirectory, { recursive: true });
  t.throws(() => state.apply(upsert(pod("shop", "web", "10.0.0.1"))), { code: "STATE_UNUSABLE" });
  t.is(state.snapshot.workloads.size, 0);
  mkdirSync(stateDirectory);
  t.deepEqual(named(state.apply(upsert())), ["web"]);
  ids.close();
});
