// What a hostile app tries, root in its own namespace with CAP_NET_RAW and CAP_NET_ADMIN, and does not get.
import test from "ava";
import type { NetworkPod } from "../../src/demo/network.ts";
import { sleep } from "../helpers/eventually.ts";
import { fromAccounts, policy } from "../helpers/manifests.ts";
import { Mesh } from "../helpers/mesh.ts";

const mesh = new Mesh({ prefix: "watt", octet: 87 });
test.after.always(() => mesh.dispose());

const port = 7000;
let friend: NetworkPod;
let attacker: NetworkPod;
let near: NetworkPod;
let far: NetworkPod;

const onlyFriend = () =>
  mesh.policies(
    policy("only-friend", { namespace: "mesh", selects: { app: "near" }, rules: [fromAccounts("mesh", ["friend"])] }),
  );

test.before(async () => {
  friend = await mesh.addPod("friend", { node: "a" });
  attacker = await mesh.addPod("attacker", { node: "a" });
  near = await mesh.addPod("near", { node: "a", ports: [{ name: "tcp", containerPort: port }] });
  far = await mesh.addPod("far", { node: "b" });
  onlyFriend();
  await mesh.start();
  for (const server of [near, far]) await mesh.lab.serve(server, "hello", ["-p", String(port)]);
  await mesh.settles("the policy is in force", async () => (await reach(attacker)).errno === "ECONNREFUSED");
});

const reach = (from: NetworkPod, ...flags: string[]) => mesh.lab.dial(from, near.ipv4!, port, ["--line", ...flags]);

test.serial("a mark on the socket changes nothing", async (t) => {
  for (const mark of ["1", "0x539", "0x15001", "0x80000000", "0xffffffff"]) {
    t.is((await reach(attacker, "--mark", mark)).errno, "ECONNREFUSED", `mark ${mark}`);
  }
  t.is((await reach(friend, "--mark", "1")).result, "ok");
});

test.serial(
  "a SYN with a friend's address, or with the attacker's own but past the socket hooks, gets no answer",
  async (t) => {
    const [, mac] = /link\/ether (\S+)/.exec(
      await mesh.lab.run(undefined, ["ip", "link", "show", attacker.interface]),
    )!;
    for (const family of ["ipv4", "ipv6"] as const)
      for (const source of [friend, attacker, far]) {
        const { answer } = await mesh.lab.spoofSyn(attacker, mac!, source[family]!, near[family]!, port);
        t.is(answer, "none", `${source.name} ${family}`);
      }
  },
);

test.serial("another address on the attacker's interface gives no other identity", async (t) => {
  await mesh.lab.run(attacker, ["ip", "addr", "add", `${friend.ipv4}/32`, "dev", "lo"]);
  const dialled = await reach(attacker, "--bind", friend.ipv4!, "--timeout", "2000");
  t.not(dialled.result, "ok");
  t.is(dialled.received, 0);
  await mesh.lab.run(attacker, ["ip", "addr", "del", `${friend.ipv4}/32`, "dev", "lo"]);
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
    t.not((await mesh.lab.dial(friend, attacker.ipv4!, proxyPort, ["--send", "10", "--timeout", "2000"])).result, "ok");
  }
  const squat = await mesh.lab.run(attacker, [
    "sh",
    "-c",
    `! timeout 1 ${process.cwd()}/build/tools/serve -a 127.0.0.1 -p ${ports[0]} echo 2>&1`,
  ]);
  t.regex(squat, /cannot listen/);
});

test.serial("a listener of the app on every address does not take what was meant for the proxy", async (t) => {
  t.is((await mesh.lab.dial(attacker, far.ipv4!, port, ["--line"])).result, "ok");
  const squatters = await Promise.all(
    [20_000, 33_000, 50_000].map((at) => mesh.lab.serve(attacker, "once", ["-p", String(at)])),
  );
  for (let round = 0; round < 20; round++) {
    const { greeting } = await mesh.lab.greeting(attacker, far.ipv4!, port);
    t.true(greeting!.getsockname.includes(far.ipv4!));
  }
  for (const { server } of squatters) await server.stop();
});

test.serial("a SYN that Fast Open delays past a policy change is judged by the new policy", async (t) => {
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
    "3000",
    "--send",
    "100",
    "--line",
    "--timeout",
    "8000",
  ];
  const late = mesh.lab.dialling(attacker, near.ipv4!, port, flags);
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

test.serial("a namespace inside the attacker's, with its address, gets no answer", async (t) => {
  const inner = [
    "unshare --net sh -c 'echo $$ >/tmp/PIDFILE; exec sleep 20' & sleep 0.3",
    "ip link add link eth0 name inner0 netns $(cat /tmp/PIDFILE) type ipvlan mode l2",
    'nsenter --net=/proc/$(cat /tmp/PIDFILE)/ns/net sh -c "ip link set inner0 up; ip addr add ADDRESS/32 dev inner0; ip route add default dev inner0; TOOL NEAR PORT --send 10 --timeout 2000"',
    "kill %1; rm -f /tmp/PIDFILE",
  ].join("\n");
  const script = inner
    .replaceAll("PIDFILE", `watt-${process.pid}`)
    .replaceAll("ADDRESS", attacker.ipv4!)
    .replaceAll("TOOL", `${process.cwd()}/build/tools/dial`)
    .replaceAll("NEAR", near.ipv4!)
    .replaceAll("PORT", String(port));
  const printed = await mesh.lab.run(attacker, ["bash", "-c", `${script}; true`]);
  const dialled = JSON.parse(printed.split("\n").find((line) => line.startsWith("{")) ?? "{}");
  t.not(dialled.result, "ok");
  t.is(dialled.received, 0);
});
