// Capturing pods with the addon: all or nothing, adopted, repaired, released; and the sockets inside them.
import test from "ava";
import { command } from "../../src/demo/command.ts";
import { eventually } from "../helpers/eventually.ts";
import { TestNode } from "./node.ts";

let node: TestNode;
test.beforeEach(() => {
  node = new TestNode("wpd");
});
test.afterEach.always(() => node.dispose());

test("capturing a pod answers its cookie and the host side of its veth, and doing it again changes nothing", async (t) => {
  const pod = await node.lab.addPod("a", { ipv4: "10.92.1.1" });
  await node.lab.serve(pod, "echo", ["-p", "8080"]);
  await node.lab.serve(pod, "echo", ["-a", "::1", "-p", "8081"]);
  const first = node.capture(pod, { workload: 5, slot: 3 });
  t.is(first.ifindex, await index(pod.interface));
  t.is(first.originUnguarded, undefined);
  t.deepEqual(node.links("lookup-"), [`lookup-${first.cookie}`]);
  t.deepEqual(node.links("origin-"), [`origin-${first.ifindex}`]);
  t.is(node.rows("listening"), 2);
  t.deepEqual(node.capture(pod, { workload: 5, slot: 3 }), first);
  t.deepEqual(node.capture(pod, { workload: 6, slot: 4 }), first);
  t.deepEqual(node.datapath.captured(), [first.cookie]);
  t.deepEqual(node.datapath.repair(), []);
});

test("a capture that fails leaves everything as it was", async (t) => {
  const a = await node.lab.addPod("a", { ipv4: "10.92.1.1" });
  const b = await node.lab.addPod("b", { ipv4: "10.92.1.2" });
  const captured = node.capture(a, { slot: 0 });
  const before = node.links().sort();
  const refused = (pod: typeof a, slot: number) => t.throws(() => node.capture(pod, { slot }))?.message;
  t.is(refused(b, 0), `Cannot capture a pod in slot 0: The pod with cookie ${captured.cookie} has it.`);
  t.is(refused(b, 1024), "Cannot capture a pod in slot 1024: A node has 1024 slots.");
  t.regex(refused({ ...b, netns: "/run/netns/wpd-none" }, 1) ?? "", /^Cannot open the network namespace .*ENOENT/);
  t.is(refused({ ...b, netns: "/etc/passwd" }, 1), "Cannot use /etc/passwd: It is not a network namespace.");
  t.deepEqual(node.links().sort(), before);
  t.deepEqual(node.datapath.captured(), [captured.cookie]);
});

test("a capture that fails half-way is undone", async (t) => {
  const pod = await node.lab.addPod("a", { ipv4: "10.92.1.1" });
  await node.lab.serve(pod, "echo");
  const { cookie } = node.capture(pod);
  node.datapath.release(cookie);
  await command(["mkdir", `${node.pins}/links/lookup-${cookie}`]); // the link cannot be pinned here
  const error = t.throws(() => node.capture(pod)) as Error & { code: string };
  t.is(error.code, "EISDIR");
  t.deepEqual(node.datapath.captured(), []);
  for (const table of ["pods", "listening", "guards"]) t.is(node.rows(table), 0, table);
  await command(["rmdir", `${node.pins}/links/lookup-${cookie}`]);
  t.deepEqual(node.links("origin-"), []);
  t.is(node.capture(pod).cookie, cookie);
});

test("a pod whose veth is elsewhere is captured, and why it is not guarded is said", async (t) => {
  const pod = await node.lab.addPod("a", { ipv4: "10.92.1.1" });
  await command(["ip", "link", "del", pod.interface]);
  const captured = node.capture(pod);
  t.is(captured.ifindex, 0);
  t.regex(captured.originUnguarded ?? "", /^No veth of this pod ends in the agent's network namespace/);
  t.deepEqual(node.links("origin-"), []);
});

test("neighbours on the bridge of a captured pod are guarded, new ones too, until the last pod leaves", async (t) => {
  const bridge = await node.lab.addBridge("br", ["10.92.2.254/24"]);
  const a = await node.lab.addBridgedPod(bridge, "a", { ipv4: "10.92.2.1" });
  const b = await node.lab.addBridgedPod(bridge, "b", { ipv4: "10.92.2.2" });
  const first = node.capture(a);
  t.is(node.links("origin-").length, 2);
  const c = await node.lab.addBridgedPod(bridge, "c", { ipv4: "10.92.2.3" });
  t.deepEqual(node.datapath.repair(), [`The neighbour guard was not in force on ${c.interface}.`]);
  t.is(node.links("origin-").length, 3);
  const second = node.capture(b);
  t.is(node.links("origin-").length, 3);
  node.datapath.release(first.cookie);
  t.is(node.links("origin-").length, 3);
  node.datapath.release(second.cookie);
  t.deepEqual(node.links("origin-"), []);
  t.is(node.rows("guards"), 0);
});

test("releasing a pod removes its row, ports, program and guard", async (t) => {
  const pod = await node.lab.addPod("a", { ipv4: "10.92.1.1" });
  await node.lab.serve(pod, "echo");
  const { cookie } = node.capture(pod);
  node.datapath.release(cookie);
  t.deepEqual(node.datapath.captured(), []);
  t.deepEqual([node.links("lookup-"), node.links("origin-")], [[], []]);
  for (const table of ["pods", "listening", "guards", "admitted", "redirected"]) t.is(node.rows(table), 0, table);
  t.notThrows(() => node.datapath.release(cookie));
});

test("a pod whose namespace is gone is collected", async (t) => {
  const pod = await node.lab.addPod("a", { ipv4: "10.92.1.1" });
  node.capture(pod);
  await node.lab.removePod("a");
  await eventually("the pod is forgotten", () => {
    t.deepEqual(node.datapath.repair(), []);
    return node.datapath.captured().length === 0;
  });
  t.deepEqual([node.links("lookup-"), node.links("origin-")], [[], []]);
});

test("a pod that was deleted while no agent ran is released by its cookie", async (t) => {
  const pod = await node.lab.addPod("a", { ipv4: "10.92.1.1" });
  const { cookie } = node.capture(pod);
  node.datapath.close();
  await node.lab.removePod("a");
  node.datapath = node.open();
  t.deepEqual(node.datapath.captured(), [cookie]);
  t.throws(() => node.datapath.sockets(cookie), { message: /An earlier agent captured this pod/ });
  node.datapath.release(cookie);
  t.deepEqual([node.links("lookup-"), node.links("origin-")], [[], []]);
});

test("drift of a pod is put right, and told once", async (t) => {
  const pod = await node.lab.addPod("a", { ipv4: "10.92.1.1" });
  await node.lab.serve(pod, "echo", ["-p", "8080"]);
  const { cookie, ifindex } = node.capture(pod);
  const who = `the pod with cookie ${cookie}`;
  await node.detach(`lookup-${cookie}`);
  await node.detach(`origin-${ifindex}`);
  await removeRow("pods", bytesOf(cookie));
  await removeRow("listening", [...bytesOf(cookie), "0x90", "0x1f", ...Array(6).fill("0")]);
  t.deepEqual(node.datapath.repair(), [
    `The row of ${who} was missing.`,
    `The lookup program of ${who} was not attached.`,
    `Port 8080 of ${who} listened and was not in the table.`,
    `The origin guard was not in force on ${pod.interface}.`,
  ]);
  t.deepEqual(node.datapath.repair(), []);
});

test("a listener that was there before capture leaves the table quietly when it closes", async (t) => {
  const pod = await node.lab.addPod("a", { ipv4: "10.92.1.1" });
  const { server } = await node.lab.serve(pod, "echo", ["-p", "8080"]);
  node.capture(pod);
  t.is(node.rows("listening"), 1);
  await server.stop(1_000);
  await node.lab.serve(pod, "echo", ["-p", "8082"]);
  t.deepEqual(node.datapath.repair(), []);
  t.is(node.rows("listening"), 1);
});

test("sockets are destroyed from outside, one bound to a device and an IPv4 one on an IPv6 socket too", async (t) => {
  const client = await node.lab.addPod("client", { ipv4: "10.92.3.1", ipv6: "fd92::1" });
  const server = await node.lab.addPod("server", { ipv4: "10.92.3.2", ipv6: "fd92::2" });
  const { port } = await node.lab.serve(server, "hold");
  const { cookie } = node.enrol(client);
  const held = ["--hold", "5000"];
  const dials = [
    node.lab.dialling(client, "10.92.3.2", port, [...held, "--device", "eth0"]),
    node.lab.dialling(client, "10.92.3.2", port, [...held, "--mapped"]),
    node.lab.dialling(client, "fd92::2", port, held),
  ];
  const sockets = await eventually("three connections", () => {
    const open = node.datapath.sockets(cookie).filter(({ state }) => state === 1);
    return open.length === dials.length && open;
  });
  t.deepEqual([...new Set(sockets.map(({ remotePort }) => remotePort))], [port]);
  t.is(node.datapath.destroySockets(cookie, sockets), 3);
  t.is(node.datapath.destroySockets(cookie, sockets), 0);
  t.is(node.datapath.sockets(cookie).length, 0);
});

test("another namespace under the same path is never mistaken for the pod", async (t) => {
  const pod = await node.lab.addPod("a", { ipv4: "10.92.1.1" });
  const { cookie } = node.capture(pod);
  await node.lab.removePod("a");
  const again = await node.lab.addPod("a", { ipv4: "10.92.1.1" });
  t.is(again.netns, pod.netns);
  t.throws(() => node.datapath.sockets(cookie), { message: /Another network namespace is there now/ });
  const next = node.capture(again);
  t.not(next.cookie, cookie);
});

const bytesOf = (cookie: bigint): string[] => [...new Uint8Array(new BigUint64Array([cookie]).buffer)].map(String);

const removeRow = (table: string, key: readonly string[]): Promise<string> =>
  command(["bpftool", "map", "delete", "pinned", `${node.pins}/maps/${table}`, "key", ...key]);

async function index(name: string): Promise<number> {
  return JSON.parse(await command(["ip", "-j", "link", "show", "dev", name]))[0].ifindex;
}
