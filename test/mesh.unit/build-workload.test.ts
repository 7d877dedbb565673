import test from "ava";
import { parseAddress } from "../../src/mesh/address.ts";
import { buildWorkload, uidOf } from "../../src/mesh/build-workload.ts";
import type { Workload } from "../../src/mesh/workload.ts";
import { namespace, type PodParts, pod } from "../helpers/resources.ts";

const address = (text: string) => parseAddress(text) as Uint8Array;

function build(parts: PodParts, of = namespace("shop"), ip: string | null = "10.0.0.1") {
  const made = pod("shop", "web", ip ?? undefined, parts);
  const addresses = made.addresses.map(address);
  return buildWorkload({ id: 7, pod: made, namespace: of, addresses, node: "a", trustDomain: "cluster.local" });
}

const label = (value: string) => ({
  metadata: { labels: { "weir.dev/capture": value }, annotations: { "weir.dev/netns": "/n" } },
});

test("a pod becomes a workload", (t) => {
  const { workload, problems } = build({ spec: { nodeName: "a", containers: [{ ports: [{ containerPort: 80 }] }] } });
  t.deepEqual(workload, {
    id: 7,
    uid: "shop/web",
    namespace: "shop",
    name: "web",
    labels: { app: "web" },
    serviceAccount: "web",
    trustDomain: "cluster.local",
    node: "a",
    addresses: [address("10.0.0.1")],
    netns: "/run/netns/web",
    ready: true,
    hostNetwork: false,
    owner: { kind: "Pod", name: "web" },
    ports: [{ name: "", port: 80 }],
    local: true,
    captured: true,
    notCaptured: undefined,
    failure: "closed",
  } satisfies Workload);
  t.deepEqual(problems, []);
});

const captures: readonly [string, PodParts, Record<string, unknown>, boolean][] = [
  ["a namespace's label captures its pods", {}, { "weir.dev/capture": "enabled" }, true],
  ["without labels a pod is not captured", {}, {}, false],
  ["a pod may leave a captured namespace", label("disabled"), { "weir.dev/capture": "enabled" }, false],
  ["a pod may join from a namespace that is not captured", label("enabled"), { "weir.dev/capture": "disabled" }, true],
];

for (const [what, parts, labels, captured] of captures) {
  test(what, (t) => {
    const { workload, problems } = build(parts, namespace("shop", labels));
    t.is(workload.captured, captured);
    t.is(workload.notCaptured, undefined);
    t.deepEqual(problems, []);
  });
}

test("a capture label that means nothing is reported and counts as none", (t) => {
  const { workload, problems } = build(label("yes"));
  t.true(workload.captured);
  t.deepEqual(problems, [
    {
      where: "Pod shop/web",
      message: 'weir.dev/capture is "yes", which means nothing; expected "enabled" or "disabled"',
    },
  ]);
});

const obstacles: readonly [string, PodParts, string | null, RegExp][] = [
  ["on the node's network", { spec: { nodeName: "a", hostNetwork: true } }, "10.0.0.1", /hostNetwork/],
  ["without address", {}, null, /no address/],
  ["that has ended", { status: { phase: "Succeeded" } }, "10.0.0.1", /has ended/],
  [
    "of this node without network namespace",
    { metadata: { annotations: {} } },
    "10.0.0.1",
    /weir\.dev\/netns is missing/,
  ],
];

for (const [what, parts, ip, why] of obstacles) {
  test(`a pod ${what} is not captured, and says why`, (t) => {
    const { workload } = build(parts, namespace("shop"), ip);
    t.false(workload.captured);
    t.regex(workload.notCaptured ?? "", why);
  });
}

test("a pod of another node needs no network namespace to be in the mesh", (t) => {
  const { workload } = build({ metadata: { annotations: {} }, spec: { nodeName: "b" } });
  t.like(workload, { captured: true, local: false, netns: undefined });
});

test("a pod that is being deleted or has ended is not ready", (t) => {
  t.false(build({ metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }).workload.ready);
  t.false(build({ status: { phase: "Failed" } }).workload.ready);
  t.false(build({ status: { conditions: [{ type: "Ready", status: "False" }] } }).workload.ready);
});

test("failure is the pod's, else its namespace's, as label or annotation, else closed", (t) => {
  const open = namespace("shop", { "weir.dev/capture": "enabled" }, { "weir.dev/failure": "open" });
  t.is(build({}, open).workload.failure, "open");
  t.is(build({ metadata: { labels: { "weir.dev/failure": "closed" } } }, open).workload.failure, "closed");
  const { workload, problems } = build({ metadata: { labels: { "weir.dev/failure": "ajar" } } });
  t.is(workload.failure, "closed");
  t.is(problems.length, 1);
});

const owners: readonly [string, object, object, Workload["owner"]][] = [
  [
    "a ReplicaSet of a Deployment",
    { "pod-template-hash": "5d8c" },
    { kind: "ReplicaSet", name: "web-5d8c" },
    { kind: "Deployment", name: "web" },
  ],
  ["a ReplicaSet of its own", {}, { kind: "ReplicaSet", name: "web-5d8c" }, { kind: "ReplicaSet", name: "web-5d8c" }],
  ["a Job of a CronJob", {}, { kind: "Job", name: "tidy-29101440" }, { kind: "CronJob", name: "tidy" }],
  ["a Job of its own", {}, { kind: "Job", name: "tidy-once" }, { kind: "Job", name: "tidy-once" }],
  ["a StatefulSet", {}, { kind: "StatefulSet", name: "db" }, { kind: "StatefulSet", name: "db" }],
];

for (const [what, labels, reference, owner] of owners) {
  test(`the owner of a pod of ${what} is named`, (t) => {
    const ownerReferences = [{ ...reference, controller: true }];
    t.deepEqual(build({ metadata: { labels, ownerReferences } }).workload.owner, owner);
  });
}

test("a pod without UID is told from an earlier one of its name by the time it was made", (t) => {
  t.is(uidOf(pod("shop", "web", undefined, { metadata: { uid: "u" } })), "u");
  const created = (creationTimestamp: string) =>
    uidOf(pod("shop", "web", undefined, { metadata: { creationTimestamp } }));
  t.not(created("2026-01-01T00:00:00Z"), created("2026-01-02T00:00:00Z"));
});
