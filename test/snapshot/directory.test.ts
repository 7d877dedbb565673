import test from "ava";
import { parseAddress } from "../../src/mesh/address.ts";
import { Directory } from "../../src/snapshot/directory.ts";
import { desired, namespace, pod, policy, service, upsert } from "../helpers/resources.ts";

const at = (text: string) => parseAddress(text) as Uint8Array;

test("whoever left is remembered by id, not by address", (t) => {
  const state = desired(t);
  const [guarded] = state.apply(upsert(namespace("shop"), pod("shop", "web", "10.0.0.1"))).workloads.upserted;
  const id = guarded?.workload.id ?? 0;
  t.is(state.names.workloadAt(at("10.0.0.1"))?.id, id);
  state.apply({ upserts: [], deletes: ["Pod shop/web"] });
  t.is(state.names.workload(id)?.name, "web");
  t.is(state.names.workloadAt(at("10.0.0.1")), undefined);
});

test("an address follows the pod that has it", (t) => {
  const state = desired(t);
  state.apply(upsert(pod("shop", "web", "10.0.0.1"), pod("shop", "db", "10.0.0.2")));
  state.apply(upsert(pod("shop", "web", "10.0.0.2"), pod("shop", "db", "10.0.0.1")));
  t.is(state.names.workloadAt(at("10.0.0.1"))?.name, "db");
  t.is(state.names.workloadAt(at("10.0.0.2"))?.name, "web");
  state.apply(upsert(pod("shop", "web", "10.0.0.3")));
  t.is(state.names.workloadAt(at("10.0.0.2")), undefined);
});

test("services and old policy revisions have names, too", (t) => {
  const state = desired(t);
  const first = state.apply(upsert(service("shop", "web", {}), policy("shop", "p", {})));
  const serviceId = first.services.upserted[0]?.id ?? 0;
  const policyId = first.policies.added[0]?.policy.id ?? 0;
  state.apply({ upserts: [policy("shop", "p", { action: "DENY" })], deletes: ["Service shop/web"] });
  t.is(state.names.service(serviceId)?.name, "web");
  t.is(state.names.policy(policyId)?.action, "ALLOW");
  t.is(state.names.policy(0), undefined);
});

test("only so many are remembered, the oldest forgotten first", (t) => {
  const state = desired(t);
  const directory = new Directory(2);
  const names = ["a", "b", "c"];
  const change = state.apply(upsert(...names.map((name) => pod("shop", name, undefined))));
  directory.update(change);
  const ids = change.workloads.upserted.map(({ workload }) => workload.id);
  directory.update(state.apply({ upserts: [], deletes: names.map((name) => `Pod shop/${name}`) }));
  t.deepEqual(
    ids.map((id) => directory.workload(id)?.name),
    [undefined, "b", "c"],
  );
});
