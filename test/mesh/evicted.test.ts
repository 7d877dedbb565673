// Two pods of one node whose verdict is not in the kernel: the node proxy carries what would be direct, and nobody sees a
// difference. And what a proxied connection shows both ends when its agent is killed.
import test from "ava";
import type { NetworkPod } from "../../src/demo/network.ts";
import { sleep } from "../helpers/eventually.ts";
import { flow, metric } from "../helpers/flows.ts";
import { fromAccounts, policy } from "../helpers/manifests.ts";
import { Mesh } from "../helpers/mesh.ts";
import { hostOf, unmapped } from "../helpers/netns.ts";
import { PinnedTable } from "../helpers/pinned.ts";

const mesh = new Mesh({ prefix: "wevi", octet: 76 });
test.after.always(() => mesh.dispose());

const port = 7000;
let client: NetworkPod;
let stranger: NetworkPod;
let near: NetworkPod;
let far: NetworkPod;

const only = (account: string) =>
  mesh.policies(
    policy("only", { namespace: "mesh", selects: { app: "near" }, rules: [fromAccounts("mesh", [account])] }),
  );

test.before(async () => {
  client = await mesh.addPod("client", { node: "a" });
  stranger = await mesh.addPod("stranger", { node: "a" });
  near = await mesh.addPod("near", { node: "a", ports: [{ name: "tcp", containerPort: port }] });
  far = await mesh.addPod("far", { node: "b" });
  only("client");
  await mesh.start();
  for (const server of [near, far]) await mesh.lab.serve(server, "hello", ["-p", String(port)]);
  await mesh.settles("the policy is in force", async () => (await refused(stranger)) && !(await refused(client)));
});

const refused = async (from: NetworkPod) =>
  (await mesh.lab.dial(from, near.ipv4!, port, ["--line", "--timeout", "3000"])).errno === "ECONNREFUSED";

async function forgetVerdicts(): Promise<void> {
  const verdicts = new PinnedTable(mesh.nodeName("a"), "verdicts");
  await verdicts.remove(await verdicts.keys());
}

for (const family of ["ipv4", "ipv6"] as const) {
  test.serial(
    `the node proxy carries it over ${family}, shows both ends the truth, and the next is direct`,
    async (t) => {
      for (const path of ["proxied", "direct"] as const) {
        if (path === "proxied") await forgetVerdicts();
        const flags = ["--send", "100000"];
        const { dialled, greeting } = await mesh.lab.greeting(client, near[family]!, port, flags);
        t.like(dialled, { result: "ok", received: 100_000, exact: true, end: "eof" }, path);
        t.is(hostOf(dialled.peer), near[family]!);
        t.is(hostOf(dialled.local), client[family]!);
        t.is(unmapped(greeting!.accept), dialled.local, "accept() answers the client's address and port");
        t.is(greeting!.getpeername, greeting!.accept);
        const sourcePort = Number(dialled.local.split(":").at(-1));
        for (const end of ["source", "destination"]) {
          const seen = await flow(
            mesh.agent("a"),
            `the ${end}'s end on the ${path} path`,
            (seen) => seen.kind === "close" && seen.end === end && seen.source.port === sourcePort,
          );
          t.is(seen.path, path);
          t.is(seen.source.identity, "spiffe://cluster.local/ns/mesh/sa/client");
          t.is(seen.destination.pod, "near");
          t.is(seen.bytesToServer, 100_000);
        }
      }
    },
  );

  test.serial(`a stranger is refused by the node proxy over ${family}, and from then on by connect()`, async (t) => {
    await forgetVerdicts();
    const first = await mesh.lab.dial(stranger, near[family]!, port, ["--line", "--send", "10"]);
    t.true(["ECONNREFUSED", "ECONNRESET"].includes(first.errno), first.errno);
    t.is(first.line, "");
    t.is((await mesh.lab.dial(stranger, near[family]!, port)).errno, "ECONNREFUSED");
  });

  test.serial(`a closed port refuses through the node proxy over ${family}`, async (t) => {
    await forgetVerdicts();
    const dialled = await mesh.lab.dial(client, near[family]!, 9, ["--send", "10"]);
    t.true(["ECONNREFUSED", "ECONNRESET"].includes(dialled.errno), dialled.errno);
    t.true(dialled.totalUs < 1_000_000);
  });

  test.serial(
    `a SYN on its way to the node proxy that Fast Open delays obeys the new policy over ${family}`,
    async (t) => {
      const send = ["--send", "100", "--line", "--timeout", "8000"];
      const flags = ["--via", "fastopen-connect", "--no-cookie", "--delay", "1500", ...send];
      await forgetVerdicts();
      const late = mesh.lab.dialling(client, near[family]!, port, flags);
      await sleep(300);
      only("nobody");
      await mesh.settles("the policy is in force", () => refused(client));
      const dialled = await late.report();
      t.not(dialled.result, "ok");
      t.is(dialled.line, "");
      only("client");
      await mesh.settles("and taken back", async () => !(await refused(client)));
      await forgetVerdicts();
      t.like(await mesh.lab.dial(client, near[family]!, port, flags), { result: "ok", received: 100 });
    },
  );
}

test.serial("the connection is there under load, with verdicts evicted again and again", async (t) => {
  const flags = ["--count", "3000", "--rate", "1500", "--concurrency", "500", "--send", "100", "--line"];
  const load = mesh.lab.dialMany(client, near.ipv4!, port, flags);
  const before = await metric(mesh.agent("a"), "weir_proxy_connections_total");
  for (let round = 0; round < 10; round++) {
    await forgetVerdicts();
    await sleep(100);
  }
  t.like(await load, { ok: 3_000, inexact: 0 });
  t.true((await metric(mesh.agent("a"), "weir_proxy_connections_total")) > before, "some went through the node proxy");
});

for (const family of ["ipv4", "ipv6"] as const)
  for (const [killed, what] of [
    ["a", "the client's node"],
    ["b", "the server's node"],
  ] as const)
    test.serial(`kill -9 of the agent on ${what} resets both ends over ${family}, mid-transfer and idle`, async (t) => {
      const upload = await mesh.lab.serve(far, "discard");
      const download = await mesh.lab.serve(far, "source", ["-n", String(2 ** 33)]);
      const steady = ["--chunk", "100000", "--every", "5", "--send", "1000000000", "--timeout", "60000"];
      const idle = await mesh.lab.serve(far, "discard");
      const dials = [
        mesh.lab.dialling(client, far[family]!, upload.port, steady),
        mesh.lab.dialling(client, far[family]!, download.port, ["--end", "read", "--timeout", "60000"]),
        mesh.lab.dialling(client, far[family]!, idle.port, ["--send", "10", "--end", "read", "--timeout", "60000"]),
      ];
      await sleep(700);
      await mesh.agent(killed).kill();
      for (const [index, { report }] of dials.entries()) {
        const dialled = await report();
        t.like(dialled, { errno: "ECONNRESET", end: "reset", exact: true }, ["upload", "download", "idle"][index]);
      }
      for (const { server } of [upload, download, idle]) await server.line(/"end":"ECONNRESET"|"end":"EPIPE"/);
      await mesh.agent(killed).start();
      await mesh.settles(
        "the proxied path is back",
        async () => (await mesh.lab.dial(client, far[family]!, port, ["--line"])).result === "ok",
      );
    });
