// Tables that the agent fills and that have no more room: told, not half in force, and fine again once there is room.
import test from "ava";
import { eventually, sleep } from "../helpers/eventually.ts";
import { PinnedTable } from "../helpers/pinned.ts";
import { address, TestNode } from "./node.ts";

let node: TestNode;
test.beforeEach(() => {
  node = new TestNode("wov");
});
test.afterEach.always(() => node.dispose());

const capacity = (table: string) => node.datapath.tables().find(({ name }) => name === table)!.capacity;

const workloads = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    address: address(`fd93::${(i >> 16).toString(16)}:${(i & 0xffff).toString(16)}`),
    ...{ workload: i + 1, flags: 4, generation: 1, cookie: 0n, ifindex: 0 },
  }));

const service = (id: number, endpoints: number) => ({
  ...{ address: address(`fd93:1::${id.toString(16)}`), port: 80, service: id, affinitySeconds: 0 },
  endpoints: Array.from({ length: endpoints }, () => ({ address: address("10.93.2.1"), port: 80 })),
});

test("one workload too many is refused with a sentence, and the others stay", (t) => {
  const rows = workloads(capacity("workloads"));
  node.datapath.upsertWorkloads(rows);
  t.is(node.rows("workloads"), rows.length);
  const another = { ...rows[0]!, address: address("10.93.1.1") };
  t.throws(() => node.datapath.upsertWorkloads([another]), { message: /table workloads: .*The table is full\./ });
  t.notThrows(() => node.datapath.upsertWorkloads([{ ...rows[0]!, generation: 2 }]), "what has a row can change");
  t.is(node.rows("workloads"), rows.length);
  node.datapath.removeWorkloads([rows[0]!.address]);
  node.datapath.upsertWorkloads([another]);
  t.is(node.rows("workloads"), rows.length);
});

test("an endpoint list that does not fit leaves the Service with the list it had", async (t) => {
  const room = capacity("endpoints");
  node.datapath.upsertServices([service(1, 2), service(2, room - 3)]);
  const error = t.throws(() => node.datapath.upsertServices([service(1, 5)]));
  t.regex(error?.message ?? "", /table endpoints: .*The table is full\./);
  t.is(node.rows("endpoints"), room - 1, "nothing of the new list is left");
  t.is(node.datapath.serviceKeys().length, 2);
  node.datapath.removeServices([service(2, 0)]);
  await sleep(1_100);
  node.datapath.repair();
  node.datapath.upsertServices([service(1, 5)]);
  t.is(node.rows("endpoints"), 7, "the old list goes later");
});

test("one Service port too many is refused with a sentence, and takes no endpoints", async (t) => {
  const services = new PinnedTable(node.name, "services");
  const filled = await services.fill();
  const error = t.throws(() => node.datapath.upsertServices([service(1, 3)]));
  t.regex(error?.message ?? "", /table services: .*The table is full\./);
  t.is(node.rows("endpoints"), 0);
  await services.remove(filled);
  node.datapath.upsertServices([service(1, 3)]);
  t.is(node.rows("endpoints"), 3);
});

test("a port that listens while that table is full is unreachable, counted, and reachable once there is room", async (t) => {
  const pod = await node.lab.addPod("a", { ipv4: "10.93.3.1" });
  const client = await node.lab.addPod("b", { ipv4: "10.93.3.2" });
  const { cookie } = node.enrol(pod);
  const { cookie: clients } = node.enrol(client);
  const listening = new PinnedTable(node.name, "listening");
  const filled = await listening.fill([...new Uint8Array(new BigUint64Array([cookie + clients]).buffer)]);
  const full = () => node.datapath.counters()[listeningFull];
  const before = full()!;
  await node.lab.serve(pod, "echo", ["-p", "8080"]);
  t.is(full(), before + 1n);
  t.not((await node.lab.dial(client, "10.93.3.1", 8080, ["--send", "10", "--timeout", "500"])).result, "ok");
  await listening.remove(filled);
  t.true(node.datapath.repair().some((sentence) => sentence.startsWith("Port 8080 of ")));
  await eventually("the row is there", () => node.rows("listening") === 1);
});

test("half-open connections of pods that are gone give their rows and their share back", async (t) => {
  const admitted = new PinnedTable(node.name, "admitted");
  const pod = await node.lab.addPod("a", { ipv4: "10.93.3.1" });
  const { cookie } = node.enrol(pod);
  const stranger = cookie + 1_000_000n; // no pod has it
  const key = (netns: bigint) => [...new Uint8Array(new BigUint64Array([netns]).buffer), ...Array(40).fill(7)];
  await admitted.put([key(cookie), key(stranger)]);
  t.is(node.rows("admitted"), 2);
  node.datapath.repair();
  t.deepEqual(await admitted.keys(), [key(cookie)]);
});

/** enum counter of bpf/abi.h. */
const listeningFull = 18;
