// Apps connect in many ways; each works on every path, in both families, and both ends see who the other really is.
import test from "ava";
import type { NetworkPod } from "../../src/demo/network.ts";
import { flow } from "../helpers/flows.ts";
import { Mesh } from "../helpers/mesh.ts";
import { hostOf } from "../helpers/netns.ts";

const mesh = new Mesh({ prefix: "wvar", octet: 80 });
test.after.always(() => mesh.dispose());

const paths = { direct: "near", proxied: "far", "pass-through": "outsider" } as const;
type Path = keyof typeof paths;
type Family = "ipv4" | "ipv6";

let client: NetworkPod;
const servers: Record<string, NetworkPod> = {};
const port = 7000;

test.before(async () => {
  client = await mesh.addPod("client", { node: "a" });
  servers.near = await mesh.addPod("near", { node: "a", ports: [{ name: "tcp", containerPort: port }] });
  servers.far = await mesh.addPod("far", { node: "b" });
  servers.outsider = await mesh.addPod("outsider", { node: "b", namespace: "plain" });
  await mesh.start();
  for (const server of Object.values(servers)) await mesh.lab.serve(server, "hello", ["-p", String(port)]);
});

const variants: Readonly<Record<string, readonly string[]>> = {
  "a blocking connect": [],
  "a non-blocking connect": ["--via", "nonblocking"],
  MSG_FASTOPEN: ["--via", "fastopen"],
  TCP_FASTOPEN_CONNECT: ["--via", "fastopen-connect"],
  "TCP_FASTOPEN_CONNECT without a cookie and a late first write": [
    "--via",
    "fastopen-connect",
    "--no-cookie",
    "--delay",
    "300",
  ],
  io_uring: ["--via", "io_uring"],
  MPTCP: ["--mptcp"],
  SO_BINDTODEVICE: ["--device", "eth0"],
  "a bound source address": ["--bind", "CLIENT"],
  "an IPv4-mapped address": ["--mapped"],
  "a socket that was connected elsewhere before": ["--before", "NEAR"],
};

for (const path of Object.keys(paths) as Path[])
  for (const family of ["ipv4", "ipv6"] as Family[])
    for (const [name, flags] of Object.entries(variants)) {
      if (family === "ipv6" && flags.includes("--mapped")) continue;
      test(`${name} works over ${family} on the ${path} path`, async (t) => {
        const server = servers[paths[path]]!;
        const values: Record<string, string> = { CLIENT: client[family]!, NEAR: `${servers.near![family]}:${port}` };
        const given = flags.map((flag) => values[flag] ?? flag);
        const { dialled, greeting } = await mesh.lab.greeting(client, server[family]!, port, [
          "--send",
          "100000",
          ...given,
        ]);
        t.like(dialled, { result: "ok", errno: "OK", received: 100_000, exact: true, end: "eof" });
        t.is(hostOf(dialled.peer), server[family]!, "the client sees whom it dialled");
        t.is(hostOf(dialled.local), client[family]!, "the client keeps its own address");
        t.is(hostOf(greeting!.accept), client[family]!, "accept() says who called");
        t.is(greeting!.getpeername, greeting!.accept, "and so does getpeername()");
      });
    }

for (const path of Object.keys(paths) as Path[])
  test(`the flow of a connection on the ${path} path says so`, async (t) => {
    const server = servers[paths[path]]!;
    const { local } = await mesh.lab.dial(client, server.ipv4!, port, ["--send", "12345", "--line"]);
    const sourcePort = Number(local.split(":").at(-1));
    const closed = await flow(
      mesh.agent("a"),
      `a close record of port ${sourcePort}`,
      (seen) => seen.kind === "close" && seen.end === "source" && seen.source.port === sourcePort,
    );
    t.is(closed.path, path);
    t.is(closed.verdict, "allowed");
    t.is(closed.source.pod, "client");
    t.is(closed.destination.pod, paths[path]);
    t.is(closed.bytesToServer, 12_345);
    t.true(closed.bytesToClient >= 12_345);
  });

for (const family of ["ipv4", "ipv6"] as Family[])
  test(`sockets with one source port reach destinations on every path over ${family}`, async (t) => {
    const flags = ["--bind-port", "40404", "--reuse", "--hold", "500", "--send", "10", "--line"];
    const all = Object.values(servers);
    const dialled = await Promise.all(all.map((server) => mesh.lab.dial(client, server[family]!, port, flags)));
    for (const [index, { result, line, peer }] of dialled.entries()) {
      t.is(result, "ok");
      t.is(hostOf(peer), all[index]![family]!);
      t.is(hostOf(JSON.parse(line!).getsockname), all[index]![family]!);
    }
  });

for (const [path, family] of (Object.keys(paths) as Path[]).flatMap((path) =>
  (["ipv4", "ipv6"] as const).map((family) => [path, family] as const),
)) {
  test(`1 GiB crosses the ${path} path byte for byte over ${family}`, async (t) => {
    const { port: sink } = await mesh.lab.serve(servers[paths[path]]!, "verify");
    const flags = ["--send", String(2 ** 30), "--line", "--timeout", "120000"];
    const dialled = await mesh.lab.dial(client, servers[paths[path]]![family]!, sink, flags);
    t.is(dialled.line, `${2 ** 30} exact`);
  });

  test(`64 KiB windows and a slow reader lose nothing on the ${path} path over ${family}`, async (t) => {
    const flags = ["--send", "5000000", "--window", "65536", "--end", "write", "--timeout", "30000"];
    const { server, port: slow } = await mesh.lab.serve(servers[paths[path]]!, "slow", ["-n", "65536", "-w", "65536"]);
    t.is((await mesh.lab.dial(client, servers[paths[path]]![family]!, slow, flags)).end, "eof");
    const [, received, exact] = await server.line(/"received":(\d+),"exact":(true|false)/);
    t.deepEqual([received, exact], ["5000000", "true"]);
  });

  test(`2,000 new connections a second work on the ${path} path over ${family}`, async (t) => {
    const { port: echo } = await mesh.lab.serve(servers[paths[path]]!, "echo", ["--quiet"]);
    const flags = ["--count", "4000", "--rate", "2000", "--concurrency", "2000", "--send", "100"];
    const many = await mesh.lab.dialMany(client, servers[paths[path]]![family]!, echo, flags);
    t.like(many, { ok: 4_000, inexact: 0 });
    t.true(many.totalUs < 4_000_000, `it took ${many.totalUs} us`);
  });

  // A proxied connection takes two descriptors of the agents, which may have 20,000 here and keep a tenth in reserve.
  const crowd = path === "proxied" ? 8_500 : 10_000;
  test(`${crowd} connections are open at once on the ${path} path over ${family}`, async (t) => {
    const { port: echo } = await mesh.lab.serve(servers[paths[path]]!, "echo", ["--quiet"]);
    const flags = [
      "--count",
      String(crowd),
      "--concurrency",
      String(crowd),
      "--send",
      "64",
      "--hold",
      "3000",
      "--timeout",
      "60000",
    ];
    const many = await mesh.lab.dialMany(client, servers[paths[path]]![family]!, echo, flags);
    t.like(many, { ok: crowd, inexact: 0, errors: {}, peakOpen: crowd });
  });
}
