// What is heavy or wrong in the manifests of a running agent: it goes on, says what is wrong, and lets in what is right.
import { closeSync, ftruncateSync, openSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import type { NetworkPod } from "../../src/demo/network.ts";
import { metric } from "../helpers/flows.ts";
import { fromAccounts, policy } from "../helpers/manifests.ts";
import { Mesh } from "../helpers/mesh.ts";
import { hostOf } from "../helpers/netns.ts";

const mesh = new Mesh({ prefix: "whea", octet: 78, nodes: ["a"] });
test.after.always(() => mesh.dispose());

const port = 7000;
let client: NetworkPod;
let server: NetworkPod;

test.before(async () => {
  client = await mesh.addPod("client", { node: "a" });
  server = await mesh.addPod("server", { node: "a", ports: [{ name: "tcp", containerPort: port }] });
  await mesh.start();
  await mesh.lab.serve(server, "echo", ["-p", String(port)]);
  await mesh.settles("the path is there", reaches);
});

const reaches = async () => (await mesh.lab.dial(client, server.ipv4!, port, ["--send", "10"])).received === 10;
const status = async () => JSON.parse((await mesh.agent("a").cli("status", "-o", "json")).stdout);
const problems = async () => (await mesh.agent("a").cli("status")).stdout;
const only = (account: string) =>
  policy("only", { namespace: "mesh", selects: { app: "server" }, rules: [fromAccounts("mesh", [account])] });

/** A stream that is still intact at the end of what the test does. */
const stream = (seconds: number) =>
  mesh.lab.dialling(client, server.ipv4!, port, [
    ...["--send", String(seconds * 100_000), "--chunk", "1000", "--every", "10", "--timeout", "60000"],
  ]);

test.serial("thousands of policies come into force at once, and one of them changes as fast as ever", async (t) => {
  const { report } = stream(4);
  const thousands = Array.from({ length: 5_000 }, (_, n) =>
    policy(`p${n}`, { namespace: "mesh", selects: { app: `app-${n}` }, rules: [fromAccounts("mesh", [`sa-${n}`])] }),
  );
  mesh.manifests.write("thousands", ...thousands);
  await mesh.settles("they are read", async () => (await status()).config.policies === 5_000, 10_000);
  t.true(await reaches(), "none of them is about the server");
  mesh.policies(only("nobody"));
  const took = await mesh.settles("the server's policy is in force", async () => !(await reaches()), 1_000);
  t.log(`in force after ${took.toFixed(0)} ms`);
  t.is((await report()).errno, "ECONNABORTED", "and ends what it does not allow");
  mesh.policies(only("client"));
  await mesh.settles("and can be taken back", reaches, 1_000);
  mesh.manifests.remove("thousands");
  await mesh.settles("they are gone", async () => (await status()).config.policies === 1);
  t.true(await reaches());
});

test.serial("a manifest of 100 MB is refused with a sentence, and costs neither memory nor time", async (t) => {
  mesh.policies(only("nobody"));
  await mesh.settles("the policy is in force", async () => !(await reaches()));
  const { resident } = (await status()).memory;
  const hidden = join(mesh.manifests.directory, ".policies");
  const file = openSync(hidden, "w");
  writeSync(file, "apiVersion: v1\nkind: List\nitems:\n");
  ftruncateSync(file, 100 * 1024 * 1024);
  closeSync(file);
  renameSync(hidden, join(mesh.manifests.directory, "policies.yaml"));
  await mesh.settles("the problem is shown", async () =>
    (await problems()).includes("policies.yaml: the file has 104857600 bytes, more than"),
  );
  t.false(await reaches(), "the last good state stays in force");
  t.true((await status()).memory.resident - resident < 50 * 1024 * 1024);
  const delay = await metric(mesh.agent("a"), "weir_event_loop_delay_seconds", { quantile: "1" });
  t.true(delay < 0.5, `the event loop stood still for ${delay} s`);
  mesh.policies(only("client"));
  await mesh.settles("a good file is taken", reaches);
});

test.serial(
  "wrong types, unknown kinds and duplicate names are told with file and line, and harm nobody",
  async (t) => {
    const wrong: Readonly<Record<string, string>> = {
      types: "apiVersion: v1\nkind: Pod\nmetadata:\n  name: 7\n  namespace: mesh\nspec: []\n",
      text: "just a text\n",
      list: "- 1\n- 2\n",
      binary: "\u0000\u0001\u0002",
      anchors: `a: &a [x, x]\n${Array.from({ length: 30 }, (_, n) => `b${n}: &b${n} [*a, *a]\n`).join("")}`,
      duplicate: JSON.stringify(only("nobody")),
      twice: `${JSON.stringify(policy("same", { namespace: "mesh" }))}\n---\n${JSON.stringify(policy("same", { namespace: "mesh" }))}\n`,
    };
    for (const [name, text] of Object.entries(wrong)) mesh.manifests.writeText(name, text);
    mesh.manifests.writeText("unknown", "apiVersion: example.org/v1\nkind: Nothing\nmetadata:\n  name: x\n");
    for (const name of Object.keys(wrong))
      await mesh.settles(`${name} is told`, async () => new RegExp(`${name}\\.yaml:\\d+`).test(await problems()));
    t.false((await problems()).includes("unknown.yaml"), "a kind of others is none of our business");
    t.true(await reaches());
    t.is((await status()).config.policies, 1);
    for (const name of [...Object.keys(wrong), "unknown"]) mesh.manifests.remove(name);
    await mesh.settles("no problem is left", async () => (await status()).problems.length === 0);
  },
);

test.serial("session affinity holds while other endpoints come and go, and ends with its own", async (t) => {
  const add = async (name: string) => {
    const pod = await mesh.addPod(name, { node: "a", labels: { app: "sticky" } });
    await mesh.lab.serve(pod, "once", ["-p", String(port)]);
    return pod;
  };
  const pods = [await add("s0"), await add("s1"), await add("s2")];
  const sticky = mesh.addService("sticky", [{ port: 80, targetPort: port }], "sticky", { affinity: true });
  for (const family of ["ipv4", "ipv6"] as const) {
    const chosen = async () => {
      const { dialled, greeting } = await mesh.lab.greeting(client, sticky[family], 80, ["--end", "read"]);
      return dialled.result === "ok" ? hostOf(greeting!.getsockname) : undefined;
    };
    await mesh.settles("the Service is there", async () => (await chosen()) !== undefined);
    const kept = await chosen();
    const others = pods.filter((pod) => pod[family] !== kept);
    const ready = (pod: NetworkPod, is: boolean) =>
      mesh.declare(pod, { node: "a", labels: { app: "sticky" }, ready: is });
    const version = async () => (await status()).config.version;
    for (const is of [false, true])
      for (const other of others) {
        const before = await version();
        ready(other, is);
        await mesh.settles("the change is in force", async () => (await version()) > before);
        for (let round = 0; round < 4; round++) t.is(await chosen(), kept, family);
      }
    const own = pods.find((pod) => pod[family] === kept)!;
    ready(own, false);
    await mesh.settles("its endpoint is left", async () => (await chosen()) !== kept);
    const next = await chosen();
    ready(own, true);
    for (let round = 0; round < 6; round++) t.is(await chosen(), next, "and the new one is kept");
  }
});
