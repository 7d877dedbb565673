// What a hostile app tries, root in its own namespace with CAP_NET_RAW and CAP_NET_ADMIN, and does not get.
import test from "ava";
import { attempt, inNamespace } from "../../src/demo/command.ts";
import type { NetworkPod } from "../../src/demo/network.ts";
import { sleep } from "../helpers/eventually.ts";
import { metric } from "../helpers/flows.ts";
import { fromAccounts, policy } from "../helpers/manifests.ts";
import { Mesh } from "../helpers/mesh.ts";

const mesh = new Mesh({ prefix: "watt", octet: 87 });
test.after.always(() => mesh.dispose());

const port = 7000;
let friend: NetworkPod;
let attacker: NetworkPod;
let near: NetworkPod;
let far: NetworkPod;
let outsider: NetworkPod;

const onlyFriend = () =>
  mesh.policies(
    policy("only-friend", { namespace: "mesh", selects: { app: "near" }, rules: [fromAccounts("mesh", ["friend"])] }),
  );

test.before(async () => {
  friend = await mesh.addPod("friend", { node: "a" });
  attacker = await mesh.addPod("attacker", { node: "a" });
  near = await mesh.addPod("near", { node: "a", ports: [{ name: "tcp", containerPort: port }] });
  far = await mesh.addPod("far", { node: "b" });
  outsider = await mesh.addPod("outsider", { node: "a", namespace: "plain" });
  onlyFriend();
  await mesh.start();
  for (const server of [near, far, outsider]) await mesh.lab.serve(server, "hello", ["-p", String(port)]);
  await mesh.settles("the policy is in force", async () => (await reach(attacker)).errno === "ECONNREFUSED");
});

type Family = "ipv4" | "ipv6";
const families: readonly Family[] = ["ipv4", "ipv6"];

const reach = (from: NetworkPod, ...flags: string[]) => mesh.lab.dial(from, near.ipv4!, port, ["--line", ...flags]);
/** Of the host side of a pod's veth. */
const macOf = async ({ interface: name }: NetworkPod): Promise<string> =>
  /link\/ether (\S+)/.exec(await mesh.lab.run(undefined, ["ip", "link", "show", name]))![1]!;
const event = (name: string) => metric(mesh.agent("a"), "weir_kernel_events_total", { event: name });

test.serial("a mark on the socket changes nothing", async (t) => {
  for (const mark of ["1", "0x539", "0x15001", "0x80000000", "0xffffffff"]) {
    for (const family of families) {
      const dialled = await mesh.lab.dial(attacker, near[family]!, port, ["--line", "--mark", mark]);
      t.is(dialled.errno, "ECONNREFUSED", `mark ${mark} ${family}`);
    }
  }
  t.is((await reach(friend, "--mark", "1")).result, "ok");
});

test.serial(
  "a SYN with a friend's address, or with the attacker's own but past the socket hooks, gets no answer",
  async (t) => {
    const mac = await macOf(attacker);
    const tries = families.flatMap((family) =>
      [friend, attacker, far].flatMap((source) =>
        ([[], ["--tagged"]] as const).map((flags) => ({ family, source, flags })),
      ),
    );
    await Promise.all(
      tries.map(async ({ family, source, flags }) => {
        const { answer } = await mesh.lab.spoofSyn(attacker, mac, source[family]!, near[family]!, port, flags);
        t.is(answer, "none", `${source.name} ${family} ${flags}`);
      }),
    );
  },
);

for (const family of families)
  test.serial(`another ${family} address on the attacker's interface gives no other identity`, async (t) => {
    const stolen = `${friend[family]}/${family === "ipv4" ? 32 : 128}`;
    await mesh.lab.run(attacker, ["ip", "addr", "add", stolen, "dev", "eth0", ...(family === "ipv6" ? ["nodad"] : [])]);
    const before = await event("origin_spoofed");
    for (const target of [near, far, outsider]) {
      const flags = ["--bind", friend[family]!, "--line", "--timeout", "800"];
      const dialled = await mesh.lab.dial(attacker, target[family]!, port, flags);
      // What the node proxy carries to another node goes out in the attacker's own name.
      if (dialled.result === "ok") t.false(dialled.line!.includes(friend[family]!), target.name);
      t.true(dialled.result !== "ok" || target === far, target.name);
    }
    t.true((await event("origin_spoofed")) > before, "what is sent with it is dropped");
    await mesh.lab.run(attacker, ["ip", "addr", "del", stolen, "dev", "eth0"]);
    t.is((await mesh.lab.dial(friend, near[family]!, port, ["--line"])).result, "ok", "its owner feels nothing");
  });

test.serial("the node proxy's listeners in a pod cannot be dialled, joined or squatted", async (t) => {
  const listing = await mesh.lab.run(attacker, ["ss", "-Htln"]);
  const ports = [...listing.matchAll(/(?:127\.0\.0\.1|\[::1\]):(\d+)/g)].map(([, found]) => Number(found));
  t.true(ports.length > 0, `the proxy listens somewhere: ${listing}`);
  for (const proxyPort of ports) {
    for (const address of ["127.0.0.1", "::1", attacker.ipv4!, attacker.ipv6!]) {
      const dialled = await mesh.lab.dial(attacker, address, proxyPort, ["--send", "10", "--timeout", "2000"]);
      t.not(dialled.result, "ok", `${address} ${proxyPort}`);
      t.is(dialled.received, 0);
    }
    for (const from of [friend, outsider, undefined])
      for (const family of families) {
        const flags = ["--send", "10", "--timeout", "2000"];
        const dialled = await mesh.lab.dial(from, attacker[family]!, proxyPort, flags);
        t.not(dialled.result, "ok", `from ${from?.name ?? "the host"} over ${family}`);
        t.is(dialled.received, 0);
      }
  }
  t.true((await event("lookup_proxy_port")) > 0);
  const squats = ports.flatMap((proxyPort) =>
    ["127.0.0.1", "::1", "0.0.0.0", "::"].map((address) => ({ proxyPort, address })),
  );
  const tool = `${process.cwd()}/build/tools/serve`;
  for (const join of [[], ["--join"]])
    await Promise.all(
      squats.map(async ({ proxyPort, address }) => {
        // The other family's port of that number is nobody's; what listens there is the app's own affair.
        if (!listing.includes(`${address.includes(":") ? "[::1]" : "127.0.0.1"}:${proxyPort}`)) return;
        const serve = ["timeout", "1", tool, "-a", address, "-p", String(proxyPort), ...join, "--v6only", "once"];
        const { exit, stderr } = await attempt(inNamespace(attacker.netns, serve));
        t.regex(stderr, /cannot listen/, `${address} ${proxyPort} ${join}`);
        t.is(exit, 1);
      }),
    );
});

test.serial("a listener of the app on every address does not take what was meant for the proxy", async (t) => {
  t.is((await mesh.lab.dial(attacker, far.ipv4!, port, ["--line"])).result, "ok");
  const squatters = await Promise.all(
    [20_000, 33_000, 50_000].map((at) => mesh.lab.serve(attacker, "once", ["-p", String(at)])),
  );
  for (let round = 0; round < 20; round++) {
    for (const family of families) {
      const { greeting } = await mesh.lab.greeting(attacker, far[family]!, port);
      t.true(greeting!.getsockname.includes(far[family]!));
    }
  }
  for (const { server } of squatters) await server.stop();
});

for (const family of families)
  test.serial(`a SYN that Fast Open delays past a policy change obeys it over ${family}`, async (t) => {
    mesh.policies(
      policy("both", {
        namespace: "mesh",
        selects: { app: "near" },
        rules: [fromAccounts("mesh", ["friend", "attacker"])],
      }),
    );
    await mesh.settles("the attacker is let in", async () => (await reach(attacker)).result === "ok");
    const flags = [
      "--via",
      "fastopen-connect",
      "--no-cookie",
      "--delay",
      "1500",
      "--send",
      "100",
      "--line",
      "--timeout",
      "4000",
    ];
    const late = mesh.lab.dialling(attacker, near[family]!, port, flags);
    await sleep(500);
    onlyFriend();
    await mesh.settles("the policy is back", async () => (await reach(attacker)).errno === "ECONNREFUSED");
    const dialled = await late.report();
    t.not(dialled.result, "ok");
    t.is(dialled.line, "");
  });

test.serial("the same delay with an unchanged policy works", async (t) => {
  const flags = ["--via", "fastopen-connect", "--no-cookie", "--delay", "1500", "--send", "100", "--line"];
  t.like(await mesh.lab.dial(friend, near.ipv4!, port, flags), { result: "ok", received: 100 });
});

// Whoever is behind the pod's interface but not in its namespace: a container in the container, or a virtual machine.
const inner = (name: string, ...steps: string[]) => [
  `ip netns add ${name}`,
  ...steps,
  `ip netns exec ${name} ${process.cwd()}/build/tools/dial TARGET ${port} --send 10 --line --timeout 800; ip netns del ${name}`,
];

for (const family of families) {
  const width = family === "ipv4" ? 32 : 128;
  const ip = family === "ipv4" ? "ip" : "ip -6";
  const route = family === "ipv4" ? "default" : "::/0";
  const nodad = family === "ipv4" ? "" : "nodad";
  const tried = async (steps: readonly string[]) => {
    const counted = async () => (await event("origin_unknown_syn")) + (await event("origin_spoofed"));
    for (const target of [near, far, outsider]) {
      const before = await counted();
      const script = steps.join(" && ").replaceAll("TARGET", target[family]!);
      const printed = await mesh.lab.run(attacker, ["bash", "-c", `{ ${script}; } 2>&1 || ip netns del watt-in`]);
      const dialled = JSON.parse(
        printed.split("\n").find((line) => line.startsWith("{")) ?? '{"result":"never dialled"}',
      );
      const { result, received } = dialled;
      const answer = result === "never dialled" ? printed : result === "ok" ? "yes" : "none";
      results.push({ target: target.name, answer, received, dropped: (await counted()) > before });
    }
  };
  const results: { target: string; answer: string; received: number; dropped: boolean }[] = [];
  const nothing = ["near", "far", "outsider"].map((target) => ({
    target,
    answer: "none",
    received: 0,
    dropped: true,
  }));

  test.serial(`a namespace on the attacker's interface, with its ${family} address, gets no answer`, async (t) => {
    results.length = 0;
    await tried(
      inner(
        "watt-in",
        "ip link add link eth0 name inner0 netns watt-in type macvlan mode bridge",
        `ip -n watt-in link set inner0 up`,
        `ip -n watt-in addr add ${attacker[family]}/${width} dev inner0 ${nodad}`,
        `${ip} -n watt-in route add ${route} dev inner0`,
        `${ip} -n watt-in neigh add TARGET lladdr ${await macOf(attacker)} dev inner0`,
      ),
    );
    t.deepEqual(results, nothing);
  });

  test.serial(
    `a namespace routed through the attacker's, with a friend's ${family} address, gets no answer`,
    async (t) => {
      results.length = 0;
      const own = family === "ipv4" ? "192.0.2.1" : "2001:db8::1";
      await tried(
        inner(
          "watt-in",
          "ip link add inner0 type veth peer name eth0 netns watt-in",
          `ip link set inner0 up && ip addr add ${own}/${width} dev inner0 ${nodad}`,
          `${ip} route replace ${friend[family]}/${width} dev inner0`,
          "ip -n watt-in link set eth0 up",
          `ip -n watt-in addr add ${friend[family]}/${width} dev eth0 ${nodad}`,
          `${ip} -n watt-in route add ${own} dev eth0 && ${ip} -n watt-in route add ${route} via ${own} dev eth0`,
          "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
        ),
      );
      t.deepEqual(results, nothing);
      await mesh.lab.run(attacker, ["sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0"]);
    },
  );
}
