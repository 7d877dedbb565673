// The addon against the real kernel: starting, adopting, tables, records, repair and leaving.
import { existsSync, rmSync } from "node:fs";
import test from "ava";
import { command } from "../../src/demo/command.ts";
import { Kind, RECORD_LAYOUT, RECORD_SIZE } from "../../src/flows/record.ts";
import { openDatapath, probeKernel, uninstallDatapath } from "../../src/native/datapath.ts";
import { eventually, sleep } from "../helpers/eventually.ts";
import { address, TestNode } from "./node.ts";

const rootLinks = ["connect4", "connect6", "getpeername4", "getpeername6", "sockops"];
const options = { node: "wdp", hangMs: 3_000, maxStaleMs: 3_600_000, podQuota: 100 };

let node: TestNode;
test.beforeEach(() => {
  node = new TestNode("wdp");
});
test.afterEach.always(() => node.dispose());

test("a first start attaches every hook and leaves them in force when it closes", (t) => {
  t.false(node.datapath.adopted);
  t.is(node.datapath.notAdopted, undefined);
  t.deepEqual(node.links().sort(), rootLinks);
  node.datapath.close();
  t.deepEqual(node.links().sort(), rootLinks);
  t.false(existsSync("/sys/fs/bpf/weir/_wdp"));
});

test("after close every call says that the datapath is closed", (t) => {
  node.datapath.close();
  const error = t.throws(() => node.datapath.captured());
  t.is(error?.message, "Cannot use the datapath: It is closed.");
});

test("a restarted agent adopts pods, tables and the highest id, on the same links", async (t) => {
  const pod = await node.lab.addPod("a", { ipv4: "10.91.1.1" });
  const captured = node.enrol(pod);
  node.datapath.setIdHighWater(4711);
  node.datapath.upsertServices([
    {
      address: address("10.96.91.1"),
      port: 80,
      service: 7,
      affinitySeconds: 0,
      endpoints: [{ address: address("10.91.1.1"), port: 8080 }],
    },
  ]);
  const before = await linkIds();
  node.restart();
  t.true(node.datapath.adopted);
  t.deepEqual(node.datapath.captured(), [captured.cookie]);
  t.is(node.datapath.idHighWater(), 4711);
  t.deepEqual(node.datapath.workloadAddresses(), [address("10.91.1.1")]);
  t.deepEqual(node.datapath.serviceKeys(), [{ address: address("10.96.91.1"), port: 80 }]);
  t.deepEqual(await linkIds(), before);
  t.deepEqual(node.datapath.repair(), []);
});

test("kernel state that cannot be taken over is replaced, and why is said", (t) => {
  node.datapath.close();
  rmSync(`${node.pins}/maps/verdicts`);
  node.datapath = node.open();
  t.false(node.datapath.adopted);
  t.is(node.datapath.notAdopted, "Kernel state of an earlier agent had no table verdicts and has been replaced.");
  t.deepEqual(node.links().sort(), rootLinks);
});

test("kernel state with another layout is replaced, and why is said", async (t) => {
  node.datapath.close();
  const version9 = ["9", ...zeros(7)];
  await command([
    "bpftool",
    "map",
    "update",
    "pinned",
    `${node.pins}/maps/agent`,
    "key",
    ...zeros(4),
    "value",
    ...version9,
  ]);
  node.datapath = node.open();
  t.is(node.datapath.notAdopted, "Kernel state of an earlier agent had layout 9 and not 1, and has been replaced.");
  t.is(node.datapath.idHighWater(), 0);
});

test("a start that fails leaves nothing behind", async (t) => {
  const blocked = { ...options, node: "wdp.blocked" };
  const inTheWay = "/sys/fs/bpf/weir/wdp_blocked";
  t.teardown(() => rmSync(inTheWay, { force: true }));
  rmSync(inTheWay, { force: true });
  const kind = ["type", "array", "key", "4", "value", "4", "entries", "1", "name", "blocked"];
  await command(["bpftool", "map", "create", inTheWay, ...kind]);
  const error = t.throws(() => openDatapath(blocked)) as Error & { step: string; errno: number; code: string };
  t.is(error.step, `remove the directory ${inTheWay}/links`);
  t.is(error.code, "ENOTDIR");
  t.is(error.errno, 20);
  t.false(existsSync("/sys/fs/bpf/weir/_wdp_blocked"));
});

test("a node name that Kubernetes would refuse is refused", (t) => {
  t.throws(() => openDatapath({ ...options, node: "../etc" }), { message: /^Cannot use "..\/etc" as a node name/ });
});

test("replaced endpoint lists go away, and what a Service no longer names does at adoption", async (t) => {
  const service = (port: number, count: number) => ({
    address: address("10.96.91.2"),
    port,
    service: 1,
    affinitySeconds: 0,
    endpoints: Array.from({ length: count }, (_, i) => ({ address: address(`10.91.2.${i + 1}`), port: 80 })),
  });
  node.datapath.upsertServices([service(80, 3), service(443, 0)]);
  t.is(node.rows("endpoints"), 3);
  node.datapath.upsertServices([service(80, 2)]);
  t.is(node.rows("endpoints"), 5); // a hook may still read the old list
  await sleep(1_100);
  node.datapath.repair();
  t.is(node.rows("endpoints"), 2);
  node.datapath.removeServices([service(80, 0)]);
  node.restart();
  t.is(node.rows("endpoints"), 0);
  t.deepEqual(node.datapath.serviceKeys(), [{ address: address("10.96.91.2"), port: 443 }]);
});

test("ten thousand workloads are written and read quickly", (t) => {
  const rows = Array.from({ length: 10_000 }, (_, i) => ({
    address: address(`fd91::${i.toString(16)}`),
    workload: i + 1,
    flags: 4,
    generation: 1,
    cookie: 0n,
    ifindex: 0,
  }));
  const started = performance.now();
  node.datapath.upsertWorkloads(rows);
  t.is(node.datapath.workloadAddresses().length, 10_000);
  t.true(performance.now() - started < 1_000);
  node.datapath.removeWorkloads(rows.map((row) => row.address));
  t.is(node.rows("workloads"), 0);
});

test("an address of another length is refused", (t) => {
  t.throws(() => node.datapath.removeWorkloads([new Uint8Array(4)]), {
    message: "Cannot read an address: An address is a Uint8Array of 16 bytes.",
  });
});

test("records of a connection arrive in order with the cookie that sock_diag shows", async (t) => {
  const client = await node.lab.addPod("client", { ipv4: "10.91.3.1" });
  const server = await node.lab.addPod("server", { ipv4: "10.91.3.2" });
  const { port } = await node.lab.serve(server, "echo");
  const captured = node.enrol(client);
  const seen: { kind: number; connection: bigint }[] = [];
  node.datapath.onRecords((batch, lost) => {
    t.is(lost, 0);
    t.is(batch.length % RECORD_SIZE, 0);
    const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
    for (let at = 0; at < batch.length; at += RECORD_SIZE)
      seen.push({
        kind: view.getUint8(at + RECORD_LAYOUT.kind.offset),
        connection: view.getBigUint64(at + RECORD_LAYOUT.connection.offset, true),
      });
  });
  const dialling = node.lab.dialling(client, "10.91.3.2", port, ["--send", "5000", "--hold", "400", "--end", "write"]);
  const socket = await eventually("an established socket", () =>
    node.datapath.sockets(captured.cookie).find(({ state, remotePort }) => state === 1 && remotePort === port),
  );
  t.deepEqual(socket.remote, address("10.91.3.2"));
  await dialling.report();
  await eventually("open and close", () => seen.some(({ kind }) => kind === Kind.close));
  t.deepEqual(
    seen.map(({ kind }) => kind),
    [Kind.open, Kind.close],
  );
  t.true(seen.every(({ connection }) => connection === socket.connection));
  t.true(node.datapath.counters().some((count) => count > 0n));
});

test("records that are on their way when the datapath closes are still delivered", async (t) => {
  const client = await node.lab.addPod("client", { ipv4: "10.91.3.1" });
  await node.lab.addPod("nobody", { ipv4: "10.91.3.2" });
  node.enrol(client);
  let records = 0;
  node.datapath.onRecords((batch) => {
    records += batch.length / RECORD_SIZE;
  });
  await node.lab.dial(client, "10.91.3.2", 9, []); // refused: one record
  node.datapath.close();
  await eventually("the record", () => records > 0);
  t.is(records, 1);
});

test("a process that ends without closing its datapath ends all the same", async (t) => {
  node.datapath.close();
  const addon = new URL("../../src/native/datapath.ts", import.meta.url);
  const program = `
    const { openDatapath } = await import("${addon}");
    const datapath = openDatapath(${JSON.stringify(options)});
    datapath.onRecords(() => {});
    globalThis.keep = datapath;`;
  await command(["timeout", "20", process.execPath, "--input-type=module", "--eval", program]);
  node.datapath = node.open();
  t.true(node.datapath.adopted);
});

test("waiting for the kernel's hooks takes milliseconds", (t) => {
  const started = performance.now();
  for (let i = 0; i < 5; i++) node.datapath.synchronize();
  t.true(performance.now() - started < 1_000);
});

test("drift at the root and in the file system is put right, and told once", async (t) => {
  await node.detach("connect4");
  rmSync(`${node.pins}/maps/pods`);
  rmSync(`${node.pins}/links/sockops`);
  await command([
    "bpftool",
    "map",
    "update",
    "pinned",
    `${node.pins}/maps/settings`,
    "key",
    ...zeros(4),
    "value",
    ...zeros(24),
  ]);
  t.deepEqual(node.datapath.repair().sort(), [
    "The program weir_connect4 was not attached to the cgroup root.",
    "The program weir_sockops was not attached to the cgroup root.",
    "The settings of the BPF programs were changed.",
    "The table pods was not pinned.",
  ]);
  t.deepEqual(node.datapath.repair(), []);
  t.deepEqual(node.links().sort(), rootLinks);
  t.true(node.restart().adopted);
});

test("everything removed from the file system comes back", (t) => {
  rmSync(`${node.pins}/links`, { recursive: true });
  rmSync(`${node.pins}/maps`, { recursive: true });
  t.true(node.datapath.repair().length > 0);
  t.true(node.restart().adopted);
});

test("uninstalling a running agent detaches it, says what it removed, and leaves nothing", async (t) => {
  const pod = await node.lab.addPod("a", { ipv4: "10.91.1.1" });
  node.enrol(pod);
  const removed = uninstallDatapath(node.name);
  t.true(removed.includes(`Detached the program at ${node.pins}/links/connect4.`));
  t.true(removed.includes(`Removed the table ${node.pins}/maps/pods.`));
  t.false(existsSync(node.pins));
  t.deepEqual(uninstallDatapath(node.name), []);
});

test("every probe answers with a sentence, and this kernel has what Weir needs", (t) => {
  const probes = probeKernel();
  for (const { feature, available, detail } of probes) {
    t.true(available, `${feature}: ${detail}`);
    t.regex(detail, /[.]$/);
  }
  t.is(new Set(probes.map(({ feature }) => feature)).size, probes.length);
});

const zeros = (count: number): string[] => Array(count).fill("0");

async function linkIds(): Promise<string[]> {
  const shown = await Promise.all(
    node.links().map((link) => command(["bpftool", "-j", "link", "show", "pinned", `${node.pins}/links/${link}`])),
  );
  return shown.map((text) => String(JSON.parse(text).id)).sort();
}
