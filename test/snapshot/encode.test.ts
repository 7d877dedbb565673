import test from "ava";
import { messageType } from "../../src/policy/messages.ts";
import { encodeChange, encodeSnapshot } from "../../src/snapshot/encode.ts";
import { desired, namespace, pod, policy, upsert } from "../helpers/resources.ts";

interface Delta {
  readonly version: number;
  readonly reset: boolean;
  readonly workloads: readonly { id: number; addresses: Uint8Array[]; policies: number[] }[];
  readonly removedWorkloads: readonly number[];
  readonly policies: readonly { id: number; name: string; action: string; rules: readonly Rule[] }[];
  readonly removedPolicies: readonly number[];
}

interface Rule {
  readonly from: readonly { principals: unknown; ipBlocks: { bits: number }[] }[];
  readonly to: readonly { ports: number[] }[];
  readonly when: readonly object[];
}

function decode(bytes: Uint8Array): Delta {
  const type = messageType("weir.snapshot.Delta");
  return type.toObject(type.decode(bytes), { longs: Number, enums: String, arrays: true }) as Delta;
}

const rules = [
  {
    from: [{ source: { principals: ["td/*"], ipBlocks: ["10.0.0.0/8"], serviceAccounts: undefined } }],
    to: [{ operation: { ports: ["80"] } }],
    when: [{ key: "source.principal", values: ["*"] }],
  },
];

test("a delta says what is new, changed and gone", (t) => {
  const state = desired(t);
  const ports = {
    spec: { nodeName: "a", serviceAccountName: "web", containers: [{ ports: [{ containerPort: 80 }] }] },
  };
  const first = state.apply(
    upsert(namespace("shop"), pod("shop", "web", "10.0.0.1", ports), policy("shop", "p", { rules })),
  );
  const delta = decode(encodeChange(first));
  const [guarded] = state.snapshot.workloads.values();
  t.like(delta, { version: 1, reset: false, removedWorkloads: [], removedPolicies: [] });
  t.like(delta.workloads[0] ?? {}, {
    id: guarded?.workload.id,
    uid: "shop/web",
    serviceAccount: "web",
    trustDomain: "cluster.local",
    local: true,
    captured: true,
    generation: guarded?.generation,
    portSensitive: true,
    ports: [80],
  });
  t.is(delta.workloads[0]?.addresses[0]?.length, 16);
  t.deepEqual(delta.workloads[0]?.policies, [delta.policies[0]?.id ?? 0]);
  t.like(delta.policies[0] ?? {}, { namespace: "shop", name: "p", action: "ALLOW", dryRun: false });
  const rule = delta.policies[0]?.rules[0];
  t.deepEqual(rule?.from[0]?.principals, [{ prefix: "td/" }]);
  t.is(rule?.from[0]?.ipBlocks[0]?.bits, 104);
  t.deepEqual(rule?.to[0]?.ports, [80]);
  t.like(rule?.when[0] ?? {}, { key: "SOURCE_PRINCIPAL", values: [{ present: true }] });

  const deletes = ["Pod shop/web", "AuthorizationPolicy.security.istio.io shop/p"];
  const second = decode(encodeChange(state.apply({ upserts: [], deletes })));
  t.like(second, { version: 2, workloads: [], policies: [] });
  t.deepEqual(second.removedWorkloads, [delta.workloads[0]?.id ?? 0]);
  t.deepEqual(second.removedPolicies, [delta.policies[0]?.id ?? 0]);
});

test("a whole snapshot asks to forget what was before, and carries limits", (t) => {
  const state = desired(t);
  state.apply(
    upsert(namespace("shop"), pod("shop", "web", "10.0.0.1"), policy("shop", "p", { action: "DENY", rules })),
  );
  state.apply(upsert(policy("shop", "audit", { action: "AUDIT", rules })));
  const limits = { connectionsPerPod: 10, dialTimeoutMs: 1000, drainMs: 5000 };
  const delta = decode(encodeSnapshot(state.snapshot, limits));
  t.like(delta, { version: 2, reset: true, limits });
  t.is(delta.workloads.length, 1);
  t.deepEqual(
    delta.policies.map(({ name, action }) => `${action} ${name}`),
    ["DENY p"],
  );
});
