// What is full: the kernel's ring of records, the tables of half-open connections, a pod's quota. Counted to the last one,
// refused rather than wrong, and over as soon as there is room.
import test from "ava";
import type { NetworkPod } from "../../src/demo/network.ts";
import { eventually, sleep } from "../helpers/eventually.ts";
import { metric } from "../helpers/flows.ts";
import { Mesh } from "../helpers/mesh.ts";
import { PinnedTable } from "../helpers/pinned.ts";

const quota = 200;
const mesh = new Mesh({ prefix: "wful", octet: 75, flags: ["--pod-quota", String(quota)] });
test.after.always(() => mesh.dispose());

const port = 7000;
let client: NetworkPod;
let neighbour: NetworkPod;
let near: NetworkPod;
let far: NetworkPod;
let outsider: NetworkPod;

test.before(async () => {
  client = await mesh.addPod("client", { node: "a" });
  neighbour = await mesh.addPod("neighbour", { node: "a" });
  near = await mesh.addPod("near", { node: "a", ports: [{ name: "tcp", containerPort: port }] });
  far = await mesh.addPod("far", { node: "b" });
  outsider = await mesh.addPod("outsider", { node: "b", namespace: "plain" });
  await mesh.start();
  for (const server of [near, far, outsider]) await mesh.lab.serve(server, "echo", ["-p", String(port), "--quiet"]);
  for (const server of [near, far, outsider])
    await mesh.settles("the path is there", async () => (await reach(client, server)).result === "ok");
});

const reach = (from: NetworkPod, to: NetworkPod, timeout = 1_500) =>
  mesh.lab.dial(from, to.ipv4!, port, ["--send", "10", "--timeout", String(timeout)]);

const event = (name: string) => metric(mesh.agent("a"), "weir_kernel_events_total", { event: name });
const rows = (table: string) => metric(mesh.agent("a"), "weir_kernel_table_rows", { table });

test.serial("records that did not fit into the kernel's ring are counted to the last one, and told", async (t) => {
  const agent = mesh.agent("a");
  const closed = { reporter: "source", source_workload: "client", destination_workload: "near" };
  const figures = async () => ({
    opened: await metric(agent, "istio_tcp_connections_opened_total", closed),
    closed: await metric(agent, "istio_tcp_connections_closed_total", closed),
    lost: await metric(agent, "weir_flow_rows_lost_total", { source: "kernel" }),
    kernel: await event("records_lost"),
  });
  await sleep(300); // what came before is in
  const before = await figures();
  // Thousands of flows go by: only what is said of losses is kept.
  const observe = `${process.cwd()}/bin/weir observe --follow --server ${agent.adminSocket} 2>&1 >/dev/null`;
  const following = mesh.lab.start(undefined, ["sh", "-c", `exec ${observe}`]);
  await sleep(1_000);
  agent.child.kill("SIGSTOP");
  const count = 9_000;
  const flags = ["--count", String(count), "--concurrency", "100", "--end", "reset"];
  const many = await mesh.lab.dialMany(client, near.ipv4!, port, flags);
  agent.child.kill("SIGCONT");
  t.is(many.ok, count, "connections do not need the agent");
  await mesh.settles("the loss is told", async () => (await figures()).lost > before.lost, 8_000);
  await sleep(300);
  const after = await figures();
  const arrived = after.opened - before.opened + after.closed - before.closed;
  const lost = after.kernel - before.kernel;
  t.log(`${2 * count} records, ${arrived} arrived, ${lost} lost`);
  t.true(lost > 0);
  t.is(arrived + lost, 2 * count, "an open and a close of each");
  t.is(after.lost - before.lost, lost, "the metric of flows says what the kernel counted");
  const { stdout } = await agent.cli("status", "-o", "json");
  t.is(JSON.parse(stdout).flows.lost.kernel, after.lost);
  await following.line(new RegExp(`EVENTS LOST: ${lost} by kernel`));
});

test.serial("a pod at its quota of half-open connections is stopped and counted, its neighbours are not", async (t) => {
  const before = await event("quota_exceeded");
  // Nobody answers there: each SYN stays half-open.
  const nowhere = mesh.address("a", 250).ipv4;
  await mesh.lab.run(undefined, ["ip", "route", "add", "blackhole", `${nowhere}/32`]);
  t.teardown(() => mesh.lab.run(undefined, ["ip", "route", "del", "blackhole", `${nowhere}/32`]));
  const flags = ["--via", "nonblocking", "--count", String(quota * 2), "--concurrency", String(quota * 2)];
  const flood = mesh.lab.dialMany(client, nowhere, port, [...flags, "--timeout", "4000"]);
  await mesh.settles("the quota is used up", async () => (await event("quota_exceeded")) >= before + quota);
  t.is(await rows("admitted"), quota);
  t.not((await reach(client, near)).result, "ok", "no further connection of its own");
  for (const server of [near, far, outsider]) {
    const flags = ["--count", "200", "--concurrency", "50", "--send", "10"];
    t.like(await mesh.lab.dialMany(neighbour, server.ipv4!, port, flags), { ok: 200 }, server.name);
  }
  t.is((await flood).ok, 0);
  t.is(await rows("admitted"), 0, "each gives its share back");
  t.like(await mesh.lab.dialMany(client, near.ipv4!, port, ["--count", "400", "--send", "10"]), { ok: 400 });
});

test.serial("a full table of admitted connections refuses on every path, and is counted", async (t) => {
  const admitted = new PinnedTable(mesh.nodeName("a"), "admitted");
  const [cookie] = await new PinnedTable(mesh.nodeName("a"), "pods").keys();
  const before = await event("admitted_full");
  const filled = await admitted.fill(cookie);
  for (const [index, server] of [near, far, outsider].entries()) {
    t.is((await reach(client, server, 500)).received, 0, server.name);
    t.true((await event("admitted_full")) > before + index, server.name);
  }
  await admitted.remove(filled);
  for (const server of [near, far, outsider]) t.is((await reach(client, server)).result, "ok", server.name);
});

test.serial("a full table of redirected connections refuses, leads nowhere else, and is counted", async (t) => {
  const redirected = new PinnedTable(mesh.nodeName("a"), "redirected");
  const [cookie] = await new PinnedTable(mesh.nodeName("a"), "pods").keys();
  const before = await event("redirected_full");
  // What is not carried must not end up at the client's own app, should it listen where the connection is sent to.
  const own = client.ipv4!;
  const { report } = mesh.lab.dialling(client, far.ipv4!, port, ["--send", "10", "--hold", "1500"]);
  const handedTo = await eventually("the rewritten port, which is below the ephemeral ones", async () => {
    const sockets = await mesh.lab.run(client, ["ss", "-Htn", "dst", own]);
    const ports = [...sockets.matchAll(new RegExp(` ${own}:(\\d+)`, "g"))].map(([, found]) => Number(found));
    return ports.find((found) => found < 32_768);
  });
  await mesh.lab.serve(client, "source", ["-p", String(handedTo)]);
  t.is((await report()).result, "ok", "the app may have that port all the same");
  const filled = await redirected.fill(cookie);
  for (const family of ["ipv4", "ipv6"] as const) {
    const dialled = await mesh.lab.dial(client, far[family]!, port, ["--end", "read", "--timeout", "500"]);
    t.not(dialled.result, "ok", family);
    t.is(dialled.received, 0, family);
  }
  t.true((await event("redirected_full")) >= before + 2);
  for (const server of [near, outsider]) t.is((await reach(client, server)).result, "ok", server.name);
  await redirected.remove(filled);
  t.is((await reach(client, far)).result, "ok");
});
