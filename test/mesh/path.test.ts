// Where a connection leads: Services, pods, the pod itself, and places where nobody listens.
import test from "ava";
import type { NetworkPod } from "../../src/demo/network.ts";
import { between, flow, metric } from "../helpers/flows.ts";
import { Mesh, type MeshService } from "../helpers/mesh.ts";
import { hostOf, unmapped } from "../helpers/netns.ts";

const mesh = new Mesh({ prefix: "wpath", octet: 81 });
test.after.always(() => mesh.dispose());

let client: NetworkPod;
let near: NetworkPod;
let far: NetworkPod;
let outsider: NetworkPod;
let services: Record<"near" | "far" | "client" | "empty", MeshService>;

test.before(async () => {
  client = await mesh.addPod("client", { node: "a" });
  near = await mesh.addPod("near", { node: "a", ports: [{ name: "app", containerPort: 7000 }] });
  far = await mesh.addPod("far", { node: "b" });
  outsider = await mesh.addPod("outsider", { node: "a", namespace: "plain" });
  services = {
    near: mesh.addService("near", [{ port: 80, targetPort: "app" }]),
    far: mesh.addService("far", [{ port: 80, targetPort: 7000 }]),
    client: mesh.addService("client", [{ port: 80, targetPort: 7000 }]),
    empty: mesh.addService("empty", [{ port: 80, targetPort: 7000 }], "nobody"),
  };
  await mesh.start();
  for (const server of [client, near, far, outsider]) await mesh.lab.serve(server, "hello", ["-p", "7000"]);
});

for (const family of ["ipv4", "ipv6"] as const) {
  test(`a Service on the node is reached directly over ${family}, and both ends see the truth`, async (t) => {
    const { dialled, greeting } = await mesh.lab.greeting(client, services.near[family], 80, ["--send", "1000"]);
    t.like(dialled, { result: "ok", received: 1000, exact: true });
    t.is(hostOf(dialled.peer), services.near[family], "the client sees the Service");
    t.is(unmapped(greeting!.accept), dialled.local, "the server sees the client's address and port");
    t.is(hostOf(greeting!.getsockname), near[family]!);
  });

  test(`a Service on another node is reached over ${family}, and the app sees the client's address`, async (t) => {
    const { dialled, greeting } = await mesh.lab.greeting(client, services.far[family], 80, ["--send", "1000"]);
    t.like(dialled, { result: "ok", received: 1000, exact: true });
    t.is(hostOf(dialled.peer), services.far[family]);
    t.is(hostOf(greeting!.accept), client[family]!);
  });

  test(`a pod reaches itself over ${family}: by its Service, its address and loopback`, async (t) => {
    const own = [services.client[family], client[family]!, family === "ipv4" ? "127.0.0.1" : "::1"];
    for (const [index, address] of own.entries()) {
      const { dialled, greeting } = await mesh.lab.greeting(client, address, index === 0 ? 80 : 7000, [
        "--send",
        "1000",
      ]);
      t.like(dialled, { result: "ok", received: 1000, exact: true }, address);
      t.is(hostOf(dialled.peer), address);
      t.is(unmapped(greeting!.accept), dialled.local);
    }
  });

  test(`a port nobody listens on is closed over ${family}, near and far and outside`, async (t) => {
    t.is((await mesh.lab.dial(client, near[family]!, 9)).errno, "ECONNREFUSED", "near");
    t.is((await mesh.lab.dial(outsider, near[family]!, 9)).errno, "ECONNREFUSED", "from outside");
    t.is((await mesh.lab.dial(client, outsider[family]!, 9)).errno, "ECONNREFUSED", "to the outside");
    const dialled = await mesh.lab.dial(client, far[family]!, 9, ["--send", "10"]);
    t.true(["ECONNREFUSED", "ECONNRESET"].includes(dialled.errno), `far: ${dialled.errno}`);
    t.true(dialled.totalUs < 1_000_000, "a failed dial is known within a second");
  });

  test(`a client outside the mesh reaches captured pods over ${family} and is seen as it is`, async (t) => {
    for (const server of [near, far]) {
      const { dialled, greeting } = await mesh.lab.greeting(outsider, server[family]!, 7000, ["--send", "1000"]);
      t.like(dialled, { result: "ok", received: 1000, exact: true });
      t.is(unmapped(greeting!.accept), dialled.local);
    }
  });

  test(`the host itself reaches captured pods over ${family}`, async (t) => {
    t.is((await mesh.lab.dial(undefined, near[family]!, 7000, ["--send", "10", "--line"])).result, "ok");
  });
}

test("a Service without endpoints refuses, and the flow says why", async (t) => {
  t.is((await mesh.lab.dial(client, services.empty.ipv4, 80)).errno, "ECONNREFUSED");
  const denied = await flow(mesh.agent("a"), "the refusal", (seen) => seen.reason.code === "NO_ENDPOINTS");
  t.is(denied.source.pod, "client");
});

test("a port a Service does not have refuses, and the flow says why", async (t) => {
  t.is((await mesh.lab.dial(client, services.near.ipv4, 81)).errno, "ECONNREFUSED");
  await flow(mesh.agent("a"), "the refusal", (seen) => seen.reason.code === "NO_SUCH_PORT");
  t.pass();
});

test("a Service spreads new connections over its endpoints, and follows them", async (t) => {
  const twin = await mesh.addPod("twin", {
    node: "a",
    labels: { app: "near" },
    ports: [{ name: "app", containerPort: 7000 }],
  });
  await mesh.lab.serve(twin, "hello", ["-p", "7000"]);
  const seen = new Set<string>();
  await mesh.settles("both endpoints are used", async () => {
    const { greeting } = await mesh.lab.greeting(client, services.near.ipv4, 80, ["--end", "close"]);
    seen.add(hostOf(greeting!.getsockname));
    return seen.size === 2;
  });
  mesh.declare(twin, {
    node: "a",
    labels: { app: "near" },
    ready: false,
    ports: [{ name: "app", containerPort: 7000 }],
  });
  await mesh.settles("the endpoint that is not ready is left out", async () => {
    for (let round = 0; round < 12; round++) {
      const { greeting } = await mesh.lab.greeting(client, services.near.ipv4, 80, ["--end", "close"]);
      if (hostOf(greeting!.getsockname) === twin.ipv4) return false;
    }
    return true;
  });
  t.pass();
});

test("a client keeps its endpoint where the Service asks for session affinity", async (t) => {
  for (const name of ["left", "right"]) {
    const pod = await mesh.addPod(name, { node: "a", labels: { app: "sticky" } });
    await mesh.lab.serve(pod, "hello", ["-p", "7000"]);
  }
  const sticky = mesh.addService("sticky", [{ port: 80, targetPort: 7000 }], "sticky", { affinity: true });
  await mesh.settles(
    "the Service is there",
    async () => (await mesh.lab.dial(client, sticky.ipv4, 80, ["--line"])).result === "ok",
  );
  for (const family of ["ipv4", "ipv6"] as const) {
    const seen = new Set<string>();
    for (let round = 0; round < 10; round++) {
      const { greeting } = await mesh.lab.greeting(client, sticky[family], 80, ["--end", "close"]);
      seen.add(hostOf(greeting!.getsockname));
    }
    t.is(seen.size, 1, family);
  }
});

test("a long connection reports its growth at least every 10 s, on both paths", async (t) => {
  const flags = ["--send", "130000", "--chunk", "1000", "--every", "100", "--line", "--timeout", "30000"];
  const reports = [near, far].map((server) => mesh.lab.dialling(client, server.ipv4!, 7000, flags));
  for (const [index, path] of (["direct", "proxied"] as const).entries()) {
    const name = [near, far][index]!.name;
    const grown = await flow(
      mesh.agent("a"),
      `growth on the ${path} path`,
      (seen) => seen.kind === "update" && between("client", name)(seen) && seen.bytesToServer > 20_000,
      12_000,
    );
    t.is(grown.path, path);
  }
  for (const { report } of reports) t.like(await report(), { result: "ok", exact: true });
});

test("flows of a connection to another node are seen by both, marked as crossing in the clear", async (t) => {
  await mesh.lab.dial(client, far.ipv4!, 7000, ["--send", "77", "--line"]);
  const ofClient = between("client", "far");
  const sent = await flow(mesh.agent("a"), "the client's side", (seen) => ofClient(seen) && seen.kind === "close");
  t.like(sent, { path: "proxied", end: "source", cleartext: true, verdict: "allowed" });
  t.is(sent.source.identity, "spiffe://cluster.local/ns/mesh/sa/client");
  const received = await flow(mesh.agent("b"), "the server's side", (seen) => ofClient(seen) && seen.kind === "close");
  t.like(received, { end: "destination", verdict: "allowed" });
  t.is(received.source.identity, undefined, "an address proves nothing");
});

test("metrics count connections and bytes with the names of both ends", async (t) => {
  const labels = { reporter: "source", source_workload: "client", destination_workload: "near" };
  const before = await metric(mesh.agent("a"), "istio_tcp_connections_closed_total", labels);
  for (let round = 0; round < 5; round++)
    await mesh.lab.dial(client, services.near.ipv4, 80, ["--send", "1000", "--line"]);
  await mesh.settles("five more are counted", async () => {
    return (await metric(mesh.agent("a"), "istio_tcp_connections_closed_total", labels)) >= before + 5;
  });
  t.true((await metric(mesh.agent("a"), "istio_tcp_received_bytes_total", labels)) >= 5_000);
});
