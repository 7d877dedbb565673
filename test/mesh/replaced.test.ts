// What pods are replaced by, and what that must not undo: namespaces under one path, identities of one namespace, agents.
import test from "ava";
import type { NetworkPod } from "../../src/demo/network.ts";
import { sleep } from "../helpers/eventually.ts";
import { fromAccounts, namespace, policy } from "../helpers/manifests.ts";
import { Mesh } from "../helpers/mesh.ts";

const mesh = new Mesh({ prefix: "wrep", octet: 91, nodes: ["a"] });
test.after.always(() => mesh.dispose());

const port = 7000;
const ports = [{ name: "tcp", containerPort: port }];
let client: NetworkPod;
let lenient: NetworkPod;
let outsider: NetworkPod;
let server: NetworkPod;

const onlyClient = (rules = [fromAccounts("mesh", ["client"])]) =>
  mesh.policies(policy("only-client", { namespace: "mesh", selects: { app: "server" }, rules }));

test.before(async () => {
  mesh.manifests.write("lenient", namespace("lenient", { failure: "open" }));
  client = await mesh.addPod("client", { node: "a" });
  lenient = await mesh.addPod("lenient", { node: "a", namespace: "lenient" });
  outsider = await mesh.addPod("outsider", { node: "a", namespace: "plain" });
  server = await mesh.addPod("server", { node: "a", ports });
  onlyClient();
  await mesh.start();
  await mesh.lab.serve(server, "echo", ["-p", String(port)]);
  await mesh.settles("the client gets through", () => reaches(client, server));
});

test.afterEach.always(async () => {
  mesh.declare(client, { node: "a" });
  mesh.declare(server, { node: "a", ports });
  onlyClient();
  await mesh.settles("the client gets through", () => reaches(client, server));
});

const dial = (from: NetworkPod, to: NetworkPod, at = port) =>
  mesh.lab.dial(from, to.ipv4!, at, ["--send", "100", "--timeout", "2000"]);
const reaches = async (from: NetworkPod, to: NetworkPod) => (await dial(from, to)).received === 100;
const stream = (from: NetworkPod, to: NetworkPod, seconds: number) => {
  const flags = ["--send", String(seconds * 100_000), "--chunk", "1000", "--every", "10", "--timeout", "60000"];
  return mesh.lab.dialling(from, to.ipv4!, port, flags);
};
const status = async () => (await mesh.agent("a").cli("status")).stdout;

test.serial("a pod whose service account changes stays guarded, and has its new identity only", async (t) => {
  mesh.declare(server, { node: "a", ports, serviceAccount: "other" });
  mesh.declare(client, { node: "a", serviceAccount: "other" });
  await mesh.settles("the client has another identity", async () => !(await reaches(client, server)));
  t.false(await reaches(outsider, server));
  mesh.declare(client, { node: "a" });
  await mesh.settles("the client is itself again", () => reaches(client, server));
  t.false(await reaches(outsider, server));
  t.regex(
    await mesh.lab.run(undefined, ["ls", `/sys/fs/bpf/weir/${mesh.nodeName("a")}/links`]),
    /lookup-.*\n.*lookup-.*\n.*lookup-/,
  );
});

test.serial("a pod that names another's namespace does not take its identity", async (t) => {
  const twin = { ...client, name: "twin", ...mesh.address("a", 99) };
  mesh.declare(twin, { node: "a", uid: "twin" });
  await mesh.settles("the problem is shown", async () => (await status()).includes("mesh/twin"));
  t.true(await reaches(client, server));
  t.false(await reaches(outsider, server));
  mesh.manifests.remove("pod-twin");
  await mesh.settles("the problem is gone", async () => !(await status()).includes("mesh/twin"));
  t.true(await reaches(client, server));
});

test.serial("a namespace that another one replaced under its path is captured again", async (t) => {
  const victim = await mesh.addPod("victim", { node: "a" });
  mesh.policies(policy("nobody", { namespace: "mesh", selects: { app: "victim" } }));
  await mesh.lab.serve(victim, "echo", ["-p", String(port)]);
  await mesh.settles("the policy is in force", async () => !(await reaches(outsider, victim)));
  await mesh.lab.removePod("victim");
  await mesh.lab.addPod("victim", { ipv4: victim.ipv4, ipv6: victim.ipv6 });
  await mesh.lab.serve(victim, "echo", ["-p", String(port)]);
  await mesh.settles("the policy is in force again", async () => !(await reaches(outsider, victim)), 8_000);
  t.false(await reaches(client, victim));
  mesh.manifests.remove("pod-victim");
  await mesh.lab.removePod("victim");
});

test.serial("a policy ends live connections although another pod's namespace is gone", async (t) => {
  await mesh.addPod("doomed", { node: "a" });
  await sleep(500);
  const { report } = stream(client, server, 60);
  await sleep(300);
  await mesh.lab.removePod("doomed");
  const started = performance.now();
  mesh.policies(policy("nobody", { namespace: "mesh", selects: { app: "server" } }));
  t.true(["ECONNRESET", "ECONNABORTED"].includes((await report()).errno));
  t.true(performance.now() - started < 1_000);
  await sleep(500);
  t.true(mesh.agent("a").child.running, "the agent goes on");
  mesh.manifests.remove("pod-doomed");
});

test.serial("what a pod leaves behind at its servers is gone before another has its address", async (t) => {
  const old = await mesh.addPod("old", { node: "a" });
  onlyClient([fromAccounts("mesh", ["client", "old"])]);
  await mesh.settles("the old pod gets through", () => reaches(old, server));
  const held = mesh.lab.dialling(old, server.ipv4!, port, ["--hold", "60000"]);
  const open = async () =>
    (await mesh.lab.run(server, ["ss", "-Htn", "state", "established", "dst", old.ipv4!])).includes(old.ipv4!);
  await mesh.settles("the connection is open", open);
  await mesh.lab.run(undefined, ["ip", "link", "del", old.interface]); // so that its end cannot be told
  held.child.kill("SIGKILL");
  mesh.manifests.remove("pod-old");
  await mesh.lab.removePod("old");
  await mesh.settles("it is gone", async () => !(await open()));
  t.pass();
});

test.serial("joining the mesh under a policy leaves alone what runs, and refuses what is new", async (t) => {
  mesh.manifests.write("joining", namespace("joining", { capture: "disabled" }));
  const late = await mesh.addPod("late", { node: "a", namespace: "joining" });
  await mesh.lab.serve(late, "echo", ["-p", String(port)]);
  await mesh.settles("the pod is known", () => reaches(client, late));
  mesh.manifests.write("nobody", policy("nobody", { namespace: "joining" }));
  await sleep(300);
  const { report } = stream(client, late, 3);
  await sleep(300);
  mesh.manifests.write("joining", namespace("joining"));
  await mesh.settles("new connections are refused", async () => !(await reaches(client, late)));
  t.like(await report(), { result: "ok", exact: true });
  mesh.manifests.remove("nobody");
});

test.serial("connections with a cached verdict are made while one agent takes over from another", async (t) => {
  const flags = ["--count", "3000", "--rate", "500", "--concurrency", "200", "--send", "10", "--timeout", "5000"];
  const load = mesh.lab.dialMany(client, server.ipv4!, port, flags);
  await sleep(500);
  await mesh.agent("a").kill();
  await sleep(500);
  await mesh.agent("a").start();
  t.like(await load, { ok: 3000, errors: {} });
});

test.serial("a client that fails open does not open a server that fails closed", async (t) => {
  onlyClient([fromAccounts("mesh", ["client"], [port])]);
  const { server: unlisted } = await mesh.lab.serve(server, "echo", ["-p", "7001"]);
  await sleep(500);
  await mesh.agent("a").kill();
  t.not((await dial(lenient, server, 7001)).received, 100);
  await mesh.agent("a").start();
  await unlisted.stop();
});
