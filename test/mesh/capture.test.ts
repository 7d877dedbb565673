// Pods join and leave the mesh while they run; their manifests may be wrong, their addresses pass on to others.
import test from "ava";
import type { NetworkPod } from "../../src/demo/network.ts";
import { eventually, sleep } from "../helpers/eventually.ts";
import { between, flow, flowsOf } from "../helpers/flows.ts";
import { fromAccounts, namespace, pod, policy } from "../helpers/manifests.ts";
import { Mesh } from "../helpers/mesh.ts";

const mesh = new Mesh({ prefix: "wcap", octet: 84 });
test.after.always(() => mesh.dispose());

const port = 7000;
let client: NetworkPod;
let server: NetworkPod;

test.before(async () => {
  client = await mesh.addPod("client", { node: "a" });
  server = await mesh.addPod("server", { node: "a", ports: [{ name: "tcp", containerPort: port }] });
  await mesh.start();
  await mesh.lab.serve(server, "echo", ["-p", String(port)]);
});

const stream = (from: NetworkPod, to: NetworkPod, seconds: number) =>
  mesh.lab.dialling(from, to.ipv4!, port, [
    "--send",
    String(seconds * 100_000),
    "--chunk",
    "1000",
    "--every",
    "10",
    "--timeout",
    "60000",
  ]);

const reaches = async (from: NetworkPod, to: NetworkPod) =>
  (await mesh.lab.dial(from, to.ipv4!, port, ["--send", "100", "--timeout", "3000"])).result === "ok";

async function pathOf(from: NetworkPod, to: NetworkPod): Promise<string | undefined> {
  const { local } = await mesh.lab.dial(from, to.ipv4!, port, ["--send", "100"]);
  const sourcePort = Number(local.split(":").at(-1));
  await sleep(150);
  return (await flowsOf(mesh.agent("a"))).findLast(
    (seen) => seen.source.port === sourcePort && between(from.name, to.name)(seen),
  )?.path;
}

test.serial("a namespace joins and leaves the mesh at run time, and what runs is not touched", async (t) => {
  const late = await mesh.addPod("late", { node: "a", namespace: "joining" });
  mesh.manifests.write("joining", namespace("joining", { capture: "disabled" }));
  await mesh.lab.serve(late, "echo", ["-p", String(port)]);
  await mesh.settles("the pod is known", () => reaches(client, late));
  t.is(await pathOf(client, late), "pass-through");

  const before = stream(client, late, 4);
  const out = stream(late, server, 4);
  await sleep(200);
  mesh.manifests.write("joining", namespace("joining"));
  await mesh.settles("the pod is captured", async () => (await pathOf(client, late)) === "direct");
  await mesh.settles("its own connections, too", async () => (await pathOf(late, server)) === "direct");
  const during = stream(client, late, 3);
  await sleep(200);
  mesh.manifests.write("joining", namespace("joining", { capture: "disabled" }));
  await mesh.settles("the pod is let go", async () => (await pathOf(client, late)) === "pass-through");
  for (const connection of [before, out, during])
    t.like(await connection.report(), { result: "ok", exact: true, end: "eof" });
});

test.serial("connections made while a pod joins and leaves the mesh all come about", async (t) => {
  mesh.manifests.write("wavering", namespace("wavering", { capture: "disabled" }));
  const wavering = await mesh.addPod("wavering", { node: "a", namespace: "wavering" });
  const far = await mesh.addPod("far", { node: "b" });
  for (const pod of [wavering, far]) await mesh.lab.serve(pod, "echo", ["-p", String(port)]);
  await mesh.settles(
    "the pods are known",
    async () => (await reaches(wavering, far)) && (await reaches(far, wavering)),
  );
  const flags = ["--count", "4000", "--rate", "1000", "--concurrency", "300", "--send", "10", "--timeout", "8000"];
  const loads = [
    mesh.lab.dialMany(wavering, far.ipv4!, port, flags),
    mesh.lab.dialMany(client, wavering.ipv4!, port, flags),
  ];
  for (const capture of ["enabled", "disabled", "enabled", "disabled", "enabled", "disabled"] as const) {
    await sleep(500);
    mesh.manifests.write("wavering", namespace("wavering", { capture }));
  }
  for (const load of loads) t.like(await load, { ok: 4000, errors: {} });
});

test.serial("the label of a pod wins over its namespace's", async (t) => {
  const exempt = await mesh.addPod("exempt", { node: "a", labels: { "weir.dev/capture": "disabled" } });
  await mesh.lab.serve(exempt, "echo", ["-p", String(port)]);
  await mesh.settles("the pod is known", async () => (await pathOf(client, exempt)) === "pass-through");
  t.pass();
});

test.serial("the node's own network namespace is no pod's: it is never captured, and the agent says so", async (t) => {
  const own = { ...client, name: "own", netns: "/proc/self/ns/net", ipv4: mesh.address("a", 99).ipv4, ipv6: undefined };
  mesh.manifests.write("own", pod(own, { namespace: "mesh", node: mesh.nodeName("a") }));
  const { message } = await eventually("the problem", async () => {
    const { problems } = JSON.parse((await mesh.agent("a").cli("status", "-o", "json")).stdout);
    return problems.find(({ where }: { where: string }) => where === "Pod mesh/own");
  });
  t.regex(message, /is the node's own network namespace; its Pod lacks spec.hostNetwork: true$/);
  const { stdout } = await mesh.agent("a").cli("get", "workloads", "-n", "mesh");
  t.regex(stdout, /own .* no: \/proc\/self\/ns\/net is the node's own/);
  mesh.manifests.remove("own");
});

test.serial("a broken manifest is reported with file and line, and the last good state stays in force", async (t) => {
  mesh.policies(
    policy("only-client", { namespace: "mesh", selects: { app: "server" }, rules: [fromAccounts("mesh", ["nobody"])] }),
  );
  await mesh.settles("the policy is in force", async () => !(await reaches(client, server)));
  mesh.manifests.writeText("policies", "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: [\n");
  await mesh.settles("the problem is shown", async () =>
    (await mesh.agent("a").cli("status")).stdout.includes("policies.yaml:"),
  );
  t.false(await reaches(client, server));
  mesh.policies(policy("nothing", { namespace: "mesh", selects: { app: "nobody" } }));
  await mesh.settles("a good file is taken", () => reaches(client, server));
});

test.serial("a new pod with the address of an old one has none of its rights", async (t) => {
  mesh.policies(
    policy("only-old", { namespace: "mesh", selects: { app: "server" }, rules: [fromAccounts("mesh", ["old"])] }),
  );
  const old = await mesh.addPod("old", { node: "a" });
  await mesh.settles("the old pod gets through", () => reaches(old, server));
  const address = { ipv4: old.ipv4, ipv6: old.ipv6 };
  mesh.manifests.remove("pod-old");
  await mesh.lab.removePod("old");

  const heir = await mesh.lab.addPod("heir", address);
  t.false(await reaches(heir, server), "before the agent knows it");
  mesh.declare(heir, { node: "a" });
  for (let round = 0; round < 20; round++) {
    t.false(await reaches(heir, server));
    await sleep(50);
  }
  t.false(await reaches(client, server));
  mesh.policies(
    policy("only-heir", { namespace: "mesh", selects: { app: "server" }, rules: [fromAccounts("mesh", ["heir"])] }),
  );
  await mesh.settles("the new pod gets rights of its own", () => reaches(heir, server));
  mesh.policies(policy("nothing", { namespace: "mesh", selects: { app: "nobody" } }));
  await mesh.settles("everybody is let in again", () => reaches(client, server));
});

test.serial("a pod whose namespace is deleted under load disturbs nobody else", async (t) => {
  const doomed = await mesh.addPod("doomed", { node: "a" });
  const target = await mesh.lab.serve(doomed, "echo", ["-p", String(port)]);
  await mesh.settles("the pod is captured", async () => (await pathOf(client, doomed)) === "direct");
  const flood = ["--count", "20000", "--rate", "1000", "--concurrency", "500", "--send", "100", "--timeout", "2000"];
  const load = mesh.lab.start(client, [`${process.cwd()}/build/tools/dial`, doomed.ipv4!, String(port), ...flood]);
  const bystander = stream(client, server, 4);
  await sleep(500);
  target.server.kill();
  await mesh.lab.removePod("doomed");
  await sleep(500);
  mesh.manifests.remove("pod-doomed");
  t.like(await bystander.report(), { result: "ok", exact: true });
  load.kill();
  await mesh.settles("the pod is gone from the list", async () => {
    const { stdout } = await mesh.agent("a").cli("get", "workloads", "-o", "json");
    return !stdout.includes('"doomed"');
  });
  t.true(await reaches(client, server));
});

test.serial("a flow shows the names of a pod that is gone already", async (t) => {
  const brief = await mesh.addPod("brief", { node: "a" });
  await mesh.settles("the pod is captured", async () => (await pathOf(brief, server)) === "direct");
  mesh.manifests.remove("pod-brief");
  await mesh.lab.removePod("brief");
  const seen = await flow(mesh.agent("a"), "its flow", between("brief", "server"));
  t.is(seen.source.namespace, "mesh");
});
