// Pods that go away under load, come back elsewhere, or leave their address to another: nothing of them stays.
import { readdirSync } from "node:fs";
import test from "ava";
import type { NetworkPod } from "../../src/demo/network.ts";
import { sleep } from "../helpers/eventually.ts";
import { flowsOf } from "../helpers/flows.ts";
import { fromAccounts, namespace, policy } from "../helpers/manifests.ts";
import { Mesh } from "../helpers/mesh.ts";
import { PinnedTable } from "../helpers/pinned.ts";

const mesh = new Mesh({ prefix: "wgon", octet: 77, nodes: ["a"] });
test.after.always(() => mesh.dispose());

const port = 7000;
const ports = [{ name: "tcp", containerPort: port }];
const tools = `${process.cwd()}/build/tools`;
let client: NetworkPod;
let server: NetworkPod;

test.before(async () => {
  client = await mesh.addPod("client", { node: "a" });
  server = await mesh.addPod("server", { node: "a", ports });
  mesh.policies(
    policy("entitled", {
      namespace: "mesh",
      selects: { app: "server" },
      rules: [fromAccounts("mesh", ["client", "old"])],
    }),
  );
  await mesh.start();
  await mesh.lab.serve(server, "hello", ["-p", String(port), "--quiet"]);
  await mesh.settles("the path is there", () => reaches(client, server));
});

type Family = "ipv4" | "ipv6";
const reaches = async (from: NetworkPod, to: NetworkPod, family: Family = "ipv4") =>
  (await mesh.lab.dial(from, to[family]!, port, ["--line", "--timeout", "2000"])).result === "ok";

const tables = ["pods", "listening", "admitted", "redirected"] as const;
const linksOf = () => readdirSync(`/sys/fs/bpf/weir/${mesh.nodeName("a")}/links`);
const table = (name: string) => new PinnedTable(mesh.nodeName("a"), name);
const rowsIn = async (name: string) => (await table(name).keys()).length;
const cookies = async () => new Set((await table("pods").keys()).map((key) => key.join(" ")));

/** The rows of a namespace, by the cookie their keys begin with. */
async function rowsOf(cookie: string): Promise<string[]> {
  const found = await Promise.all(
    tables.map(async (name) =>
      (await table(name).keys()).filter((key) => key.slice(0, 8).join(" ") === cookie).map(() => name),
    ),
  );
  return found.flat();
}

const exists = async (name: string) =>
  (await mesh.lab.run(undefined, ["ip", "-brief", "link"])).split("\n").some((line) => line.startsWith(`${name}@`));

test.serial("a pod deleted under load, both ways, leaves no namespace, veth, pin or row behind", async (t) => {
  const others = await cookies();
  const links = linksOf().sort();
  const doomed = await mesh.addPod("doomed", { node: "a", serviceAccount: "client", ports });
  const { server: app } = await mesh.lab.serve(doomed, "hello", ["-p", String(port), "--quiet"]);
  await mesh.settles("the pod is captured", () => reaches(doomed, server));
  const [cookie] = [...(await cookies())].filter((each) => !others.has(each));
  t.true((await rowsOf(cookie!)).length >= 2);

  const flood = ["--count", "50000", "--rate", "2000", "--concurrency", "800", "--send", "100", "--timeout", "1500"];
  const dial = (from: NetworkPod, to: NetworkPod) =>
    mesh.lab.start(from, [`${tools}/dial`, to.ipv4!, String(port), ...flood]);
  const loads = [dial(client, doomed), dial(doomed, server)];
  const steady = ["--send", "300000", "--chunk", "1000", "--every", "10", "--line", "--timeout", "20000"];
  const bystander = mesh.lab.dialling(client, server.ipv4!, port, steady);
  await sleep(700);
  app.kill();
  loads[1]!.kill();
  await mesh.lab.run(undefined, ["ip", "netns", "del", "wgon-doomed"]);
  await sleep(300);
  mesh.manifests.remove("pod-doomed");
  await mesh.settles("the veth is gone, so nothing holds the namespace", async () => !(await exists(doomed.interface)));
  loads[0]!.kill();
  await mesh.settles("its rows are gone", async () => (await rowsOf(cookie!)).length === 0, 8_000);
  t.deepEqual(linksOf().sort(), links);
  t.like(await bystander.report(), { result: "ok", exact: true });
  await mesh.settles(
    "no half-open connection is left",
    async () => (await table("admitted").keys()).length === 0,
    8_000,
  );
  t.true(await reaches(client, server));
  t.deepEqual(JSON.parse((await mesh.agent("a").cli("status", "-o", "json")).stdout).problems, []);
});

test.serial("a pod that gets a new namespace is captured there, at another path and at the same", async (t) => {
  const pod = await mesh.addPod("moving", { node: "a", serviceAccount: "client", ports });
  await mesh.settles("the pod is captured", () => reaches(pod, server));
  for (const path of ["moving-2", "moving-2"]) {
    const address = { ipv4: pod.ipv4, ipv6: pod.ipv6 };
    await mesh.lab.removePod(pod.name);
    await mesh.lab.removePod(path);
    const next = { ...(await mesh.lab.addPod(path, address)), name: "moving" };
    mesh.declare(next, { node: "a", serviceAccount: "client", ports });
    await mesh.settles("it has its identity again", () => reaches(next, server), 15_000);
    const { server: app } = await mesh.lab.serve(next, "hello", ["-p", String(port)]);
    await mesh.settles("it is reached", () => reaches(client, next));
    await app.stop(); // or it would keep its namespace
  }
  await mesh.settles("its old namespaces are collected", async () => (await cookies()).size === 3, 10_000);
  t.pass();
  mesh.manifests.remove("pod-moving");
  await mesh.lab.removePod("moving-2");
  await mesh.settles("it is gone", async () => (await cookies()).size === 2, 10_000);
});

test.serial("a destination that joins the mesh while a SYN is on its way to it leaves no row behind", async (t) => {
  mesh.manifests.write("joining", namespace("joining", { capture: "disabled" }));
  const late = await mesh.addPod("late", { node: "a", namespace: "joining" });
  await mesh.settles("the pod is known", async () =>
    (await mesh.agent("a").cli("get", "workloads", "-o", "json")).stdout.includes('"late"'),
  );
  await mesh.lab.run(undefined, ["ip", "link", "set", late.interface, "down"]);
  await mesh.lab.run(undefined, ["ip", "route", "add", "blackhole", `${late.ipv4}/32`]);
  t.teardown(() => mesh.lab.run(undefined, ["ip", "route", "del", "blackhole", `${late.ipv4}/32`]));
  const dialling = mesh.lab.dialling(client, late.ipv4!, port, ["--via", "nonblocking", "--timeout", "1500"]);
  await mesh.settles("the SYN is on its way", async () => (await rowsIn("admitted")) === 1);
  const before = (await cookies()).size;
  mesh.manifests.write("joining", namespace("joining"));
  await mesh.settles("the pod is captured", async () => (await cookies()).size === before + 1);
  t.not((await dialling.report()).result, "ok");
  await mesh.settles("the row is gone", async () => (await rowsIn("admitted")) === 0, 1_000);
  mesh.manifests.remove("pod-late");
  await mesh.lab.removePod("late");
});

for (const family of ["ipv4", "ipv6"] as const)
  test.serial(
    `thousands of tries with an inherited ${family} address, while it changes hands, get nothing`,
    async (t) => {
      for (let round = 0; round < 3; round++) {
        const old = await mesh.addPod(`old-${family}-${round}`, { node: "a", serviceAccount: "old" });
        await mesh.settles("the old pod gets through", () => reaches(old, server, family));
        const flood = ["--count", "9000", "--rate", "2000", "--concurrency", "300", "--send", "10", "--line"];
        const load = mesh.lab.start(old, [`${tools}/dial`, server[family]!, String(port), ...flood]);
        await sleep(300);
        load.kill();
        const removed = mesh.lab.removePod(old.name);
        if (round > 0) mesh.manifests.remove(`pod-${old.name}`); // before, after, and only when the heir is known
        await removed;
        const heir = await mesh.lab.addPod(`heir-${family}-${round}`, { ipv4: old.ipv4, ipv6: old.ipv6 });
        const tries = ["--count", "2500", "--rate", "1500", "--concurrency", "400", "--send", "10", "--line"];
        const many = mesh.lab.dialMany(heir, server[family]!, port, [...tries, "--timeout", "1500"]);
        await sleep(200 * round);
        mesh.manifests.remove(`pod-${old.name}`);
        mesh.declare(heir, { node: "a", serviceAccount: "heir" });
        t.like(await many, { ok: 0, count: 2_500 }, `round ${round}`);
        const allowed = (await flowsOf(mesh.agent("a"))).filter(
          (seen) => seen.source.pod === heir.name && seen.verdict === "allowed" && seen.destination.pod === "server",
        );
        t.deepEqual(allowed, []);
        mesh.manifests.remove(`pod-${heir.name}`);
        await mesh.lab.removePod(heir.name);
      }
    },
  );
