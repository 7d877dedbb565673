// A pod has a number of proxied connections, and no more; its neighbours feel nothing of that.
import test from "ava";
import type { NetworkPod } from "../../src/demo/network.ts";
import { flow, metric } from "../helpers/flows.ts";
import { Mesh } from "../helpers/mesh.ts";

const mesh = new Mesh({ prefix: "wlim", octet: 86, flags: ["--connections-per-pod", "50"] });
test.after.always(() => mesh.dispose());

let greedy: NetworkPod;
let neighbour: NetworkPod;
let far: NetworkPod;
let other: NetworkPod;

test.before(async () => {
  greedy = await mesh.addPod("greedy", { node: "a" });
  neighbour = await mesh.addPod("neighbour", { node: "a" });
  far = await mesh.addPod("far", { node: "b" });
  // The limit holds for servers, too, so the neighbour calls another one.
  other = await mesh.addPod("other", { node: "b" });
  await mesh.start();
  for (const server of [far, other]) await mesh.lab.serve(server, "echo", ["-p", "7000"]);
});

test("a pod at its limit is refused and counted, and its neighbour is served", async (t) => {
  const flags = ["--count", "80", "--concurrency", "80", "--send", "10", "--hold", "3000", "--timeout", "20000"];
  const crowd = mesh.lab.dialMany(greedy, far.ipv4!, 7000, flags);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  t.like(await mesh.lab.dial(neighbour, other.ipv4!, 7000, ["--send", "10"]), { result: "ok", received: 10 });
  const many = await crowd;
  t.is(many.ok, 50);
  t.is(many.inexact, 0);
  t.true((await metric(mesh.agent("a"), "weir_proxy_refused_total")) >= 30);
  const refused = await flow(mesh.agent("a"), "a refusal", (seen) => seen.reason.code === "CONNECTION_LIMIT");
  t.is(refused.source.pod, "greedy");
  t.like(await mesh.lab.dial(greedy, far.ipv4!, 7000, ["--send", "10"]), { result: "ok" }, "once it has let go");
});
