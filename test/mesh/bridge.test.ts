// Pods on a plain bridge: a neighbour that claims a captured pod's address, or sends with it, gets nothing.
import test from "ava";
import type { NetworkPod } from "../../src/demo/network.ts";
import { Mesh } from "../helpers/mesh.ts";
import { hostOf } from "../helpers/netns.ts";

const mesh = new Mesh({ prefix: "wbri", octet: 88, nodes: ["a"] });
test.after.always(() => mesh.dispose());

const port = 7000;
const pods: Record<string, NetworkPod> = {};

test.before(async () => {
  const bridge = await mesh.lab.addBridge("b0", ["10.88.1.1/24", "fd00:88:1::1/64"]);
  for (const [index, name] of ["client", "server", "thief"].entries()) {
    pods[name] = await mesh.lab.addBridgedPod(bridge, name, mesh.address("a", index + 2));
    mesh.declare(pods[name], { node: "a", namespace: name === "thief" ? "plain" : "mesh" });
  }
  await mesh.start();
  await mesh.lab.serve(pods.server, "hello", ["-p", String(port)]);
  await mesh.lab.serve(pods.thief, "hello", ["-p", String(port)]);
});

for (const family of ["ipv4", "ipv6"] as const) {
  test(`captured pods on a bridge reach each other over ${family}`, async (t) => {
    const { client, server } = pods;
    const { dialled, greeting } = await mesh.lab.greeting(client!, server![family]!, port, ["--send", "100000"]);
    t.like(dialled, { result: "ok", received: 100_000, exact: true });
    t.is(hostOf(greeting!.accept), client![family]!);
  });

  test(`a false claim to a captured pod's ${family} address reaches nobody`, async (t) => {
    const { client, server, thief } = pods;
    await mesh.lab.dial(client!, server![family]!, port, ["--line"]);
    const before = await mesh.lab.run(client, ["ip", "neigh", "show", server![family]!]);
    for (let round = 0; round < 5; round++)
      for (const flags of [[], ["--tagged"]] as const)
        await mesh.lab.claim(thief!, server![family]!, client!.ipv4, flags);
    t.is(lladdr(await mesh.lab.run(client, ["ip", "neigh", "show", server![family]!])), lladdr(before));
    const { greeting } = await mesh.lab.greeting(client!, server![family]!, port);
    t.is(hostOf(greeting!.getsockname), server![family]!);
  });

  test(`a neighbour's SYN with a captured pod's ${family} address gets no answer`, async (t) => {
    const { client, server, thief } = pods;
    const [, mac] = /link\/ether (\S+)/.exec(await mesh.lab.run(server, ["ip", "link", "show", "eth0"]))!;
    t.is((await mesh.lab.spoofSyn(thief!, mac!, client![family]!, server![family]!, port)).answer, "none");
  });

  test(`a neighbour may still speak for itself over ${family}`, async (t) => {
    const { server, thief } = pods;
    const { dialled, greeting } = await mesh.lab.greeting(thief!, server![family]!, port, ["--send", "10"]);
    t.is(dialled.result, "ok");
    t.is(hostOf(greeting!.accept), thief![family]!);
  });
}

const lladdr = (entry: string): string | undefined => /lladdr (\S+)/.exec(entry)?.[1];
