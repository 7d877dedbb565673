// An independent client over the same protocol: what the hubble CLI relies on, one by one.
import { once } from "node:events";
import { mkdtempSync, readdirSync, statSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import test, { type ExecutionContext } from "ava";
import { End, Kind, Path } from "../../src/flows/record.ts";
import { FlowRing } from "../../src/flows/ring.ts";
import { HubbleServer } from "../../src/hubble/server.ts";
import { address, denied, type RecordFields, record, rows, shop } from "../flows/rows.ts";

// biome-ignore lint/suspicious/noExplicitAny: messages as the wire has them
type Message = any;

const proto = new URL("../../proto/hubble", import.meta.url).pathname;
const loaded: Message = grpc.loadPackageDefinition(
  loadSync(["observer.proto", "health.proto"], {
    includeDirs: [proto],
    keepCase: true,
    longs: Number,
    enums: String,
    oneofs: true,
  }),
);
const place = { cluster: "east", hostAddresses: new Set<string>() };

async function serve(t: ExecutionContext, rowCount = 64) {
  const socket = join(mkdtempSync(join(tmpdir(), "weir-hubble-")), "hubble.sock");
  const ring = new FlowRing({ rows: rowCount, deniedRows: 16 });
  const server = new HubbleServer({ sources: { ring, names: shop, node: "a" }, place, socket, version: "1.2.3" });
  await server.listen();
  const insecure = grpc.credentials.createInsecure();
  const observer = new loaded.observer.Observer(`unix:${socket}`, insecure);
  const health = new loaded.grpc.health.v1.Health(`unix:${socket}`, insecure);
  t.teardown(async () => {
    observer.close();
    health.close();
    await server.close();
  });
  const now = () => Number(process.hrtime.bigint());
  const add = (...records: ReturnType<typeof record>[]) =>
    ring.ingest("kernel", rows(...records.map((one) => ({ ...one, timeNs: now() }))), 0);
  return { ring, add, observer, health, socket };
}

const ask = (client: Message, method: string, request: object = {}): Promise<Message> =>
  new Promise((resolve, reject) =>
    client[method](request, (error: Error | null, answer: Message) => (error ? reject(error) : resolve(answer))),
  );

async function flows(observer: Message, request: object): Promise<Message[]> {
  const seen: Message[] = [];
  for await (const response of observer.GetFlows(request)) seen.push(response);
  return seen;
}

const one = async (t: ExecutionContext, fields: RecordFields, make = record): Promise<Message> => {
  const { add, observer } = await serve(t);
  add(make(fields));
  return (await flows(observer, { number: 1 }))[0];
};

test("an opened connection is a forwarded flow with all that clients show", async (t) => {
  const { flow, node_name, time } = await one(t, {});
  t.is(node_name, "east/a");
  t.true(Math.abs(Number(time.seconds) - Date.now() / 1000) < 10);
  t.like(flow, {
    verdict: "FORWARDED",
    Type: "L3_L4",
    node_name: "east/a",
    event_type: { type: 4, sub_type: 0 },
    traffic_direction: "INGRESS",
    trace_observation_point: "TO_ENDPOINT",
    is_reply: { value: false },
    Summary: "TCP Flags: SYN",
    IP: { source: "10.0.0.1", destination: "10.0.0.2", ipVersion: "IPv4" },
    destination_service: { name: "cart", namespace: "shop" },
  });
  t.like(flow.l4.TCP, { source_port: 40_000, destination_port: 8080 });
  t.true(flow.l4.TCP.flags.SYN);
  t.like(flow.source, { namespace: "shop", pod_name: "web-1", cluster_name: "east" });
  t.like(flow.source.workloads[0], { kind: "Deployment", name: "web" });
  t.true(flow.source.identity >= 256);
  t.deepEqual(flow.source.labels, [
    "k8s:app=web",
    "k8s:io.cilium.k8s.policy.cluster=east",
    "k8s:io.cilium.k8s.policy.serviceaccount=web",
    "k8s:io.kubernetes.pod.namespace=shop",
  ]);
  t.regex(flow.uuid, /^a-[0-9a-z]+$/);
});

test("a denial by policy is a policy verdict with policy, reason and direction", async (t) => {
  const { flow } = await one(t, { end: End.source }, denied);
  t.like(flow, {
    verdict: "DROPPED",
    event_type: { type: 5 },
    drop_reason_desc: "POLICY_DENY",
    drop_reason: 181,
    policy_match_type: 2,
    traffic_direction: "EGRESS",
    is_reply: { value: false },
  });
  const policy = { name: "no-tools", namespace: "shop", kind: "AuthorizationPolicy" };
  t.like(flow.ingress_denied_by[0], policy);
  t.like(flow.egress_denied_by[0], policy);
  t.true(flow.Summary.startsWith("denied: a rule of a DENY policy matches"));
});

test("a refusal for another cause is a drop with Cilium's name for it", async (t) => {
  const { flow } = await one(t, { verdict: { reason: 9, policy: 0 } }, denied);
  t.like(flow, { event_type: { type: 1, sub_type: 158 }, drop_reason_desc: "SERVICE_BACKEND_NOT_FOUND" });
});

test("what a dry-run policy would deny is audited once, when the connection opens", async (t) => {
  const { add, observer } = await serve(t);
  const verdict = { dryRunAction: 2, dryRunPolicy: 5 };
  add(record({ verdict }), record({ kind: Kind.close, verdict }));
  const [open, close] = await flows(observer, {});
  t.like(open.flow, { verdict: "AUDIT", event_type: { type: 5 } });
  t.is(open.flow.ingress_denied_by[0].name, "no-tools");
  t.like(close.flow, { verdict: "FORWARDED", event_type: { type: 4 } });
});

test("the client's end of a proxied connection goes to the proxy, its close carries the figures", async (t) => {
  const fields = {
    end: End.source,
    path: Path.proxied,
    kind: Kind.close,
    bytesToServer: 3,
    bytesToClient: 4,
    durationNs: 2e6,
  };
  const { flow } = await one(t, fields);
  t.like(flow, {
    event_type: { type: 4, sub_type: 1 },
    trace_observation_point: "TO_PROXY",
    traffic_direction: "EGRESS",
  });
  t.is(flow.Summary, "TCP Flags: FIN, ACK; 3 bytes to server, 4 to client; 2.0 ms");
});

test("an end outside the mesh is the world", async (t) => {
  const { flow } = await one(t, {
    sourceWorkload: 0,
    source: address("2001:db8::1"),
    destination: address("2001:db8::2"),
  });
  t.like(flow.source, { identity: 2 });
  t.deepEqual(flow.source.labels, ["reserved:world"]);
  t.is(flow.IP.ipVersion, "IPv6");
});

test("number, first, since, until, whitelist and blacklist select as in Hubble", async (t) => {
  const { add, observer } = await serve(t);
  for (let port = 1; port <= 5; port++) add(record({ sourcePort: port }));
  const before = { seconds: Math.floor(Date.now() / 1000) - 60, nanos: 0 };
  const ports = async (request: object) => (await flows(observer, request)).map(({ flow }) => flow.l4.TCP.source_port);
  t.deepEqual(await ports({ number: 2 }), [4, 5]);
  t.deepEqual(await ports({ number: 2, first: true }), [1, 2]);
  t.deepEqual(await ports({ number: "18446744073709551615" }), [1, 2, 3, 4, 5]);
  t.deepEqual(await ports({}), [1, 2, 3, 4, 5]);
  t.deepEqual(await ports({ since: before, number: 3 }), [1, 2, 3]);
  t.deepEqual(await ports({ until: before }), []);
  t.deepEqual(await ports({ whitelist: [{ source_port: ["2", "3"] }, { source_port: ["5"] }] }), [2, 3, 5]);
  t.deepEqual(await ports({ blacklist: [{ source_port: ["2"], destination_pod: ["shop/"] }] }), [1, 3, 4, 5]);
  t.deepEqual(await ports({ whitelist: [{ http_method: ["GET"] }] }), []);
  t.deepEqual(await ports({ blacklist: [{ source_fqdn: ["*.cluster.local"] }] }), [1, 2, 3, 4, 5]);
  t.deepEqual(
    await ports({ whitelist: [{ reply: [false], source_pod: ["shop/"], event_type: [{ type: 4 }] }] }),
    [1, 2, 3, 4, 5],
  );
  t.deepEqual(await ports({ whitelist: [{ drop_reason_desc: ["POLICY_DENY"] }] }), []);
});

test("a time of a whole second, which has no nanoseconds on the wire, selects as any other", async (t) => {
  const { add, observer } = await serve(t);
  add(record(), record());
  const second = Math.floor(Date.now() / 1000);
  t.is((await flows(observer, { since: { seconds: second - 60 } })).length, 2);
  t.is((await flows(observer, { since: { seconds: second + 60 } })).length, 0);
  t.is((await flows(observer, { until: { seconds: second - 60 } })).length, 0);
});

test("following gives what is new as it comes, and ends when the client leaves", async (t) => {
  const { add, observer } = await serve(t);
  add(record({ sourcePort: 1 }), record({ sourcePort: 2 }));
  const call = observer.GetFlows({ follow: true, number: 1 });
  const seen: number[] = [];
  for await (const { flow } of call) {
    seen.push(flow.l4.TCP.source_port);
    if (seen.length === 1) add(record({ sourcePort: 3 }));
    if (seen.length === 2) break;
  }
  t.deepEqual(seen, [2, 3]);
});

test("a follower is told what was lost before it and what it was too slow for", async (t) => {
  const { ring, add, observer } = await serve(t, 32);
  const call = observer.GetFlows({ follow: true, number: 1 });
  add(record());
  const seen: Message[] = [];
  for await (const response of call) {
    seen.push(response);
    if (seen.length === 1) {
      for (let batch = 0; batch < 10; batch++) add(...Array.from({ length: 8 }, () => record()));
      ring.reportLost("kernel", 7);
    }
    if (seen.length === 1 + 32 + 2) break;
  }
  const lost = seen.filter(({ lost_events }) => lost_events).map(({ lost_events }) => lost_events);
  t.deepEqual(lost, [
    { source: "HUBBLE_RING_BUFFER", num_events_lost: 48 },
    { source: "PERF_EVENT_RING_BUFFER", num_events_lost: 7 },
  ]);
});

test("a client that does not read holds nothing up and fills no memory", async (t) => {
  const { ring, add, observer } = await serve(t, 256);
  const call = observer.GetFlows({ follow: true });
  call.pause();
  call.on("error", () => {});
  const heapBefore = process.memoryUsage().heapUsed;
  for (let round = 0; round < 400; round++) {
    add(...Array.from({ length: 100 }, () => record()));
    if (round % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  t.is(ring.seen, 40_000);
  t.true(process.memoryUsage().heapUsed - heapBefore < 60e6);
  call.cancel();
});

const refused = test.macro(async (t, request: object, pattern: RegExp) => {
  const { observer } = await serve(t);
  const error = (await t.throwsAsync(flows(observer, request))) as grpc.ServiceError;
  t.is(error.code, grpc.status.INVALID_ARGUMENT);
  t.regex(error.details, pattern);
});

test("first with follow is refused", refused, { first: true, follow: true }, /first cannot be combined with follow/);
test("a wrong address is refused", refused, { whitelist: [{ source_ip: ["x"] }] }, /neither an IP address/);
const cel = { whitelist: [{ experimental: { cel_expression: ["true"] } }] };
test("a CEL expression is refused", refused, cel, /CEL expressions are not supported/);

test("the server tells its status, node, namespaces and health", async (t) => {
  const { add, observer, health } = await serve(t);
  add(record(), record(), denied());
  const status = await ask(observer, "ServerStatus");
  t.like(status, { num_flows: 3, max_flows: 80, seen_flows: 3, version: "1.2.3", num_connected_nodes: { value: 1 } });
  t.true(status.uptime_ns > 0);
  t.true(status.flows_rate > 0);
  const { nodes } = await ask(observer, "GetNodes");
  t.is(nodes.length, 1);
  t.like(nodes[0], { name: "east/a", state: "NODE_CONNECTED", version: "1.2.3", seen_flows: 3 });
  const { namespaces } = await ask(observer, "GetNamespaces");
  t.deepEqual(namespaces, [
    { cluster: "east", namespace: "shop" },
    { cluster: "east", namespace: "tools" },
  ]);
  for (const service of ["", "hubble.server.Observer"])
    t.is((await ask(health, "Check", { service })).status, "SERVING");
  const error = (await t.throwsAsync(ask(health, "Check", { service: "other" }))) as grpc.ServiceError;
  t.is(error.code, grpc.status.NOT_FOUND);
});

test("the socket is for root alone, and a second server takes over the file of a dead one", async (t) => {
  const { socket } = await serve(t);
  t.is(statSync(socket).mode & 0o777, 0o600);
  const ring = new FlowRing({ rows: 1, deniedRows: 1 });
  const sources = { ring, names: shop, node: "b" };
  const next = new HubbleServer({ sources, place, socket, version: "2", address: { host: "127.0.0.1", port: 0 } });
  await next.listen();
  await next.close();
  t.pass();
});

test("an address that is taken is an error with a sentence, and leaves nothing open", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "weir-hubble-"));
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const address = { host: "127.0.0.1", port: (holder.address() as AddressInfo).port };
  const ring = new FlowRing({ rows: 1, deniedRows: 1 });
  const sources = { ring, names: shop, node: "b" };
  const server = new HubbleServer({ sources, place, socket: join(directory, "hubble.sock"), version: "2", address });
  const error = await t.throwsAsync(server.listen());
  t.regex(error.message, /^cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
  t.deepEqual(readdirSync(directory), []);
  holder.close();
});
