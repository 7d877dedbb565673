import test from "ava";
import { CapturedPods } from "../../src/identity/captured-pods.ts";
import type { Refusal } from "../../src/identity/refusal.ts";
import type { Resource } from "../../src/kube/resources.ts";
import { namespace, pod, upsert } from "../helpers/resources.ts";

function known(...resources: Resource[]): CapturedPods {
  const pods = new CapturedPods("cluster.local");
  pods.take(upsert(namespace("shop"), ...resources));
  return pods;
}

const web = (parts = {}) => pod("shop", "web", "10.0.0.1", { metadata: { uid: "u-web" }, ...parts });

function refusal(pods: CapturedPods, node: string, uid: string): string {
  try {
    pods.find(node, uid);
    return "found";
  } catch (error) {
    return (error as Refusal).reason;
  }
}

test("a captured pod is found by its UID on its node", (t) => {
  const { id, name, node, uid } = known(web()).find("a", "u-web");
  t.deepEqual(
    { id: id as string, name, node, uid },
    {
      id: "spiffe://cluster.local/ns/shop/sa/web",
      name: "shop/web",
      node: "a",
      uid: "u-web",
    },
  );
});

test("a pod of another node is to a node like one that does not exist", (t) => {
  const pods = known(web());
  const [foreign, missing] = ["u-web", "u-none"].map((uid) => t.throws(() => pods.find("b", uid)) as Refusal);
  t.is(foreign!.message.replace("u-web", ""), missing!.message.replace("u-none", ""));
  t.deepEqual([foreign!.reason, missing!.reason], ["wrong_node", "pod_unknown"]);
  t.is(foreign!.detail, "Pod shop/web runs on node a");
});

for (const [what, parts] of Object.entries({
  "that opted out": { metadata: { uid: "u-web", labels: { "weir.dev/capture": "disabled" } } },
  "on the node's network": { spec: { nodeName: "a", hostNetwork: true } },
  "that has ended": { status: { phase: "Succeeded", podIPs: [{ ip: "10.0.0.1" }] } },
  "that is a mirror": { metadata: { uid: "u-web", annotations: { "kubernetes.io/config.mirror": "x" } } },
  "without an address": { status: { podIPs: [] } },
})) {
  test(`a pod ${what} has no identity to ask for`, (t) => {
    const pods = known(web(parts));
    t.is(refusal(pods, "a", "u-web"), "not_captured");
    t.is(pods.size, 0);
    t.deepEqual([...pods.nodes()], []);
  });
}

test("a pod whose address a newer one has taken has no identity to ask for", (t) => {
  const pods = known(web());
  t.is(refusal(pods, "a", "u-web"), "found");
  pods.take(upsert(pod("shop", "thief", "10.0.0.1", { metadata: { uid: "u-thief" } })));
  t.is(refusal(pods, "a", "u-web"), "not_captured");
  t.is(refusal(pods, "a", "u-thief"), "found");
});

test("a UID that two pods claim is nobody's", (t) => {
  const pods = known(web(), pod("shop", "twin", "10.0.0.2", { metadata: { uid: "u-web" }, spec: { nodeName: "b" } }));
  for (const node of ["a", "b"]) t.is(refusal(pods, node, "u-web"), "uid_ambiguous");
  pods.take({ upserts: [], deletes: ["Pod shop/twin"] });
  t.is(refusal(pods, "a", "u-web"), "found");
});

test("what changes is in force at once: pods that go, come again, move, and namespaces that leave", (t) => {
  const pods = known(web());
  pods.take(upsert(web({ metadata: { uid: "u-new" } })));
  t.deepEqual([refusal(pods, "a", "u-web"), refusal(pods, "a", "u-new")], ["pod_unknown", "found"]);
  pods.take(upsert(web({ spec: { nodeName: "b" } })));
  t.deepEqual([refusal(pods, "a", "u-web"), refusal(pods, "b", "u-web")], ["wrong_node", "found"]);
  pods.take(upsert(namespace("shop", {})));
  t.is(refusal(pods, "b", "u-web"), "not_captured");
  pods.take(upsert(namespace("shop")));
  t.is(refusal(pods, "b", "u-web"), "found");
  pods.take({ upserts: [], deletes: ["Pod shop/web"] });
  t.is(refusal(pods, "b", "u-web"), "pod_unknown");
});
