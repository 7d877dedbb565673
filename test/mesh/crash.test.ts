// kill -9 of an agent: what is direct goes on, what needs the proxy is refused or passed as its namespace asks, and a
// new agent takes over what it finds.
import test from "ava";
import type { NetworkPod } from "../../src/demo/network.ts";
import { sleep } from "../helpers/eventually.ts";
import { metric } from "../helpers/flows.ts";
import { fromAccounts, namespace, policy } from "../helpers/manifests.ts";
import { Mesh } from "../helpers/mesh.ts";

const mesh = new Mesh({ prefix: "wcra", octet: 85 });
test.after.always(() => mesh.dispose());

const port = 7000;
let client: NetworkPod;
let lenient: NetworkPod;
let near: NetworkPod;
let far: NetworkPod;

test.before(async () => {
  mesh.manifests.write("lenient", namespace("lenient", { failure: "open" }));
  client = await mesh.addPod("client", { node: "a" });
  lenient = await mesh.addPod("lenient", { node: "a", namespace: "lenient" });
  near = await mesh.addPod("near", { node: "a", ports: [{ name: "tcp", containerPort: port }] });
  far = await mesh.addPod("far", { node: "b" });
  mesh.policies(
    policy("callers", { namespace: "mesh", selects: { app: "near" }, rules: [fromAccounts("mesh", ["client"])] }),
  );
  await mesh.start();
  for (const server of [near, far]) await mesh.lab.serve(server, "echo", ["-p", String(port)]);
  await mesh.settles("the direct path is there", async () => (await reach(client, near)).result === "ok");
});

const reach = (from: NetworkPod, to: NetworkPod) =>
  mesh.lab.dial(from, to.ipv4!, port, ["--send", "100", "--timeout", "3000"]);

const stream = (to: NetworkPod, seconds: number, family: "ipv4" | "ipv6" = "ipv4") =>
  mesh.lab.dialling(client, to[family]!, port, [
    "--send",
    String(seconds * 100_000),
    "--chunk",
    "1000",
    "--every",
    "10",
    "--timeout",
    "60000",
  ]);

test.serial("direct connections survive the agent, new ones included, and its successor touches none", async (t) => {
  const surviving = [stream(near, 8), stream(near, 8, "ipv6")];
  await sleep(500);
  await mesh.agent("a").kill();
  t.like(await reach(client, near), { result: "ok", received: 100 }, "a new direct connection with a cached verdict");
  t.not((await reach(lenient, near)).result, "ok", "a cached deny holds, too");
  await sleep(500);
  await mesh.agent("a").start();
  const { stdout } = await mesh.agent("a").cli("status", "-o", "json");
  t.true(JSON.parse(stdout).kernel.adopted);
  t.like(await reach(client, near), { result: "ok", received: 100 });
  for (const { report } of surviving)
    t.like(await report(), { result: "ok", sent: 800_000, received: 800_000, exact: true });
});

test.serial("a proxied connection ends in a reset, never in a clean end", async (t) => {
  await mesh.settles("the proxied path is there", async () => (await reach(client, far)).result === "ok");
  const { report } = stream(far, 20);
  await sleep(500);
  await mesh.agent("a").kill();
  t.like(await report(), { errno: "ECONNRESET", end: "reset", exact: true });
  await mesh.agent("a").start();
});

test.serial("while the agent is away its proxy is missed: closed namespaces refuse, open ones pass", async (t) => {
  await mesh.settles("the proxied path is there", async () => (await reach(client, far)).result === "ok");
  t.is((await reach(lenient, far)).result, "ok");
  await mesh.agent("a").kill();
  const started = performance.now();
  t.is((await reach(client, far)).errno, "ECONNREFUSED");
  t.true(performance.now() - started < 1_000);
  t.is((await reach(lenient, far)).result, "ok");
  await mesh.agent("a").start();
  await mesh.settles("the proxied path is back", async () => (await reach(client, far)).result === "ok");
});

test.serial("an agent that hangs is taken for away, and for back when it goes on", async (t) => {
  await mesh.settles("the proxied path is there", async () => (await reach(client, far)).result === "ok");
  mesh.agent("a").child.kill("SIGSTOP");
  await mesh.settles(
    "what needs the proxy is refused",
    async () => (await reach(client, far)).errno === "ECONNREFUSED",
    15_000,
  );
  t.is((await reach(client, near)).result, "ok", "a direct connection does not need it");
  mesh.agent("a").child.kill("SIGCONT");
  await mesh.settles("the proxied path is back", async () => (await reach(client, far)).result === "ok", 10_000);
});

test.serial("a hook that somebody detaches is attached again within 5 s, and counted", async (t) => {
  const repaired = () => metric(mesh.agent("a"), "weir_drift_repaired_total");
  const before = await repaired();
  await mesh.lab.run(undefined, [
    "bpftool",
    "link",
    "detach",
    "pinned",
    `/sys/fs/bpf/weir/${mesh.nodeName("a")}/links/connect4`,
  ]);
  const took = await mesh.settles("it is repaired", async () => (await repaired()) > before, 6_000);
  t.log(`repaired after ${took.toFixed(0)} ms`);
  t.is((await reach(lenient, near)).errno, "ECONNREFUSED", "policy is enforced again");
  t.is((await reach(client, near)).result, "ok");
});

test.serial("what changed while the agent was away is in force once it is back", async (t) => {
  await mesh.agent("a").kill();
  mesh.policies(
    policy("callers", { namespace: "mesh", selects: { app: "near" }, rules: [fromAccounts("mesh", ["nobody"])] }),
  );
  await mesh.agent("a").start();
  await mesh.settles("the new policy is in force", async () => (await reach(client, near)).errno === "ECONNREFUSED");
  mesh.policies(
    policy("callers", { namespace: "mesh", selects: { app: "near" }, rules: [fromAccounts("mesh", ["client"])] }),
  );
  await mesh.settles("and can be taken back", async () => (await reach(client, near)).result === "ok");
  t.pass();
});

test.serial(
  "an agent that is asked to stop lets proxied connections finish, and leaves direct ones alone",
  async (t) => {
    await mesh.settles("the proxied path is there", async () => (await reach(client, far)).result === "ok");
    const direct = stream(near, 4);
    const proxied = stream(far, 2);
    await sleep(300);
    await mesh.agent("a").stop();
    t.like(await proxied.report(), { result: "ok", received: 200_000, exact: true });
    await mesh.agent("a").start();
    t.like(await direct.report(), { result: "ok", received: 400_000, exact: true });
  },
);

test.serial("uninstall leaves nothing behind, and pods go on without the mesh", async (t) => {
  const direct = stream(near, 3);
  await sleep(200);
  await mesh.agent("a").stop();
  await mesh.agent("a").uninstall();
  const pins = await mesh.lab.run(undefined, [
    "sh",
    "-c",
    `find /sys/fs/bpf/weir -path '*${mesh.nodeName("a")}*' 2>/dev/null || true`,
  ]);
  t.is(pins, "");
  t.like(await direct.report(), { result: "ok", received: 300_000, exact: true });
  t.is((await reach(client, near)).result, "ok");
  await mesh.agent("a").start();
  const { stdout } = await mesh.agent("a").cli("status", "-o", "json");
  t.false(JSON.parse(stdout).kernel.adopted, "the next agent finds nothing to adopt");
});
