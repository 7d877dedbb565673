// The laboratory itself, without Weir: what the other suites stand on.
import test from "ava";
import type { NetworkPod } from "../../src/demo/network.ts";
import { Lab } from "../helpers/netns.ts";

const lab = new Lab("wlab");
test.after.always(() => lab.dispose());

let a: NetworkPod;
let b: NetworkPod;
test.before(async () => {
  a = await lab.addPod("a", { ipv4: "10.71.1.2", ipv6: "fd71:1::2" });
  b = await lab.addPod("b", { ipv4: "10.71.2.2", ipv6: "fd71:2::2" });
});

for (const [family, address, source] of [
  ["IPv4", "10.71.2.2", "[::ffff:10.71.1.2]:"],
  ["IPv6", "fd71:2::2", "[fd71:1::2]:"],
] as const) {
  test(`two routed pods exchange bytes over ${family}`, async (t) => {
    const { port } = await lab.serve(b, "hello");
    const { dialled, greeting } = await lab.greeting(a, address, port, ["--send", "1000000"]);
    t.is(dialled.result, "ok");
    t.is(dialled.received, 1_000_000);
    t.true(dialled.exact);
    t.true(greeting!.accept.startsWith(source));
  });
}

test("a port nobody listens on refuses", async (t) => {
  t.is((await lab.dial(a, b.ipv4!, 9)).errno, "ECONNREFUSED");
});

test("a bare SYN is answered by a listener, and by a reset where there is none", async (t) => {
  const { port } = await lab.serve(b, "echo");
  const [, mac] = /link\/ether (\S+)/.exec(await lab.run(undefined, ["ip", "link", "show", a.interface]))!;
  t.is((await lab.spoofSyn(a, mac!, a.ipv4!, b.ipv4!, port)).answer, "syn-ack");
  t.is((await lab.spoofSyn(a, mac!, a.ipv6!, b.ipv6!, port)).answer, "syn-ack");
  t.is((await lab.spoofSyn(a, mac!, a.ipv4!, b.ipv4!, 9)).answer, "rst");
});

test("on a plain bridge a neighbour can take an address by claiming it", async (t) => {
  const bridge = await lab.addBridge("b0", ["10.71.3.1/24", "fd71:3::1/64"]);
  const c = await lab.addBridgedPod(bridge, "c", { ipv4: "10.71.3.3", ipv6: "fd71:3::3" });
  const d = await lab.addBridgedPod(bridge, "d", { ipv4: "10.71.3.4", ipv6: "fd71:3::4" });
  const thief = await lab.addBridgedPod(bridge, "thief", { ipv4: "10.71.3.66", ipv6: "fd71:3::66" });
  const { port } = await lab.serve(d, "echo");
  for (const address of [d.ipv4!, d.ipv6!]) {
    t.is((await lab.dial(c, address, port)).result, "ok");
    await lab.claim(thief, address, c.ipv4);
    const [, theirs] = /lladdr (\S+)/.exec(await lab.run(c, ["ip", "neigh", "show", address]))!;
    const [, mac] = /link\/ether (\S+)/.exec(await lab.run(thief, ["ip", "link", "show", "eth0"]))!;
    t.is(theirs, mac);
  }
});
