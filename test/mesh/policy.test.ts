// Who may talk to whom, on every path, and how fast a change is felt.
import test from "ava";
import type { NetworkPod } from "../../src/demo/network.ts";
import { flow } from "../helpers/flows.ts";
import { fromAccounts, policy } from "../helpers/manifests.ts";
import { Mesh } from "../helpers/mesh.ts";

const mesh = new Mesh({ prefix: "wpol", octet: 82 });
test.after.always(() => mesh.dispose());
test.afterEach.always(async () => {
  mesh.policies(nothing);
  await mesh.settles(
    "everybody is let in again",
    async () => (await reaches(intruder, near)) && (await reaches(client, far)),
  );
});

// A file may not be empty: this selects nobody.
const nothing = policy("nothing", { namespace: "mesh", selects: { app: "nobody" } });
const port = 7000;
let client: NetworkPod;
let intruder: NetworkPod;
let outsider: NetworkPod;
let near: NetworkPod;
let far: NetworkPod;

test.before(async () => {
  client = await mesh.addPod("client", { node: "a" });
  intruder = await mesh.addPod("intruder", { node: "a" });
  outsider = await mesh.addPod("outsider", { node: "a", namespace: "plain" });
  near = await mesh.addPod("near", { node: "a", ports: [{ name: "tcp", containerPort: port }] });
  far = await mesh.addPod("far", { node: "b" });
  mesh.policies(nothing);
  await mesh.start();
  for (const server of [near, far]) await mesh.lab.serve(server, "echo", ["-p", String(port)]);
});

async function reaches(from: NetworkPod, to: NetworkPod, family: "ipv4" | "ipv6" = "ipv4"): Promise<boolean> {
  const { result, received } = await mesh.lab.dial(from, to[family]!, port, ["--send", "100", "--timeout", "3000"]);
  return result === "ok" && received === 100;
}

const onlyClient = (name: string) =>
  policy("only-client", { namespace: "mesh", selects: { app: name }, rules: [fromAccounts("mesh", ["client"])] });

test.serial("an ALLOW policy lets in whom it names and nobody else, on the node", async (t) => {
  mesh.policies(onlyClient("near"));
  const took = await mesh.settles("the intruder is refused", async () => !(await reaches(intruder, near)));
  t.log(`effective after ${took.toFixed(0)} ms`);
  t.true(took < 1_000);
  for (const family of ["ipv4", "ipv6"] as const) {
    t.true(await reaches(client, near, family));
    t.false(await reaches(intruder, near, family));
    t.false(await reaches(outsider, near, family), "an address is no identity");
  }
  t.is((await mesh.lab.dial(intruder, near.ipv4!, port)).errno, "ECONNREFUSED", "the kernel refuses at connect");
});

test.serial("a denied connection leaves a flow that names policy and reason", async (t) => {
  mesh.policies(onlyClient("near"));
  await mesh.settles("the intruder is refused", async () => !(await reaches(intruder, near)));
  const denied = await flow(
    mesh.agent("a"),
    "the denial",
    (seen) => seen.kind === "deny" && seen.source.pod === "intruder",
  );
  t.is(denied.verdict, "denied");
  t.is(denied.reason.code, "NO_ALLOW_MATCH");
  t.is(denied.destination.pod, "near");
});

test.serial("a DENY policy wins over ALLOW, and its rule is named", async (t) => {
  const deny = policy("not-intruder", {
    namespace: "mesh",
    action: "DENY",
    selects: { app: "near" },
    rules: [fromAccounts("mesh", ["intruder"])],
  });
  const allowAll = policy("all", { namespace: "mesh", rules: [{}] });
  mesh.policies(deny, allowAll);
  await mesh.settles("the intruder is refused", async () => !(await reaches(intruder, near)));
  t.true(await reaches(client, near));
  const denied = await flow(mesh.agent("a"), "the denial", (seen) => seen.reason.code === "DENY_RULE");
  t.is(denied.reason.policy?.name, "not-intruder");
  t.is(denied.reason.rule?.index, 0);
});

test.serial("a rule for one port leaves the others closed", async (t) => {
  const rules = [fromAccounts("mesh", ["client"], [port])];
  await mesh.lab.serve(near, "echo", ["-p", "7001"]);
  mesh.policies(policy("one-port", { namespace: "mesh", selects: { app: "near" }, rules }));
  await mesh.settles("the other port is refused", async () => {
    return (await mesh.lab.dial(client, near.ipv4!, 7001, ["--send", "10"])).result !== "ok";
  });
  t.true(await reaches(client, near));
});

test.serial("an ipBlocks rule admits a client outside the mesh by its address", async (t) => {
  const rules = [{ from: [{ source: { ipBlocks: [`${outsider.ipv4}/32`] } }] }];
  mesh.policies(policy("outsider", { namespace: "mesh", selects: { app: "near" }, rules }));
  await mesh.settles("the intruder is refused", async () => !(await reaches(intruder, near)));
  t.true(await reaches(outsider, near));
  t.false(await reaches(outsider, near, "ipv6"));
});

test.serial("no identity crosses nodes yet: a principal does not match there", async (t) => {
  mesh.policies(onlyClient("far"));
  await mesh.settles("the client is refused", async () => !(await reaches(client, far)));
  const denied = await flow(mesh.agent("b"), "the denial at the far node", (seen) => seen.verdict === "denied");
  t.is(denied.destination.pod, "far");
  t.is(denied.source.identity, undefined);
});

test.serial("a dry-run policy refuses nobody and says what it would have done", async (t) => {
  const rules = [fromAccounts("mesh", ["client"])];
  mesh.policies(policy("rehearsal", { namespace: "mesh", selects: { app: "near" }, rules, dryRun: true }));
  const rehearsed = await mesh.settles("the flow tells", async () => {
    await reaches(intruder, near);
    return flow(
      mesh.agent("a"),
      "a flow with a dry-run verdict",
      (seen) => seen.source.pod === "intruder" && seen.dryRun?.verdict === "denied",
      300,
    ).then(
      () => true,
      () => false,
    );
  });
  t.true(rehearsed >= 0);
  t.true(await reaches(intruder, near));
});

const livePaths = [
  { path: "direct", server: () => near },
  { path: "proxied", server: () => far },
] as const;

for (const { path, server } of livePaths)
  for (const family of ["ipv4", "ipv6"] as const)
    test.serial(
      `a live connection on the ${path} path ends within 1 s of the policy that forbids it (${family})`,
      async (t) => {
        const flags = ["--send", "100000000", "--chunk", "1000", "--every", "10", "--timeout", "20000"];
        const { child, report } = mesh.lab.dialling(client, server()[family]!, port, flags);
        await new Promise((resolve) => setTimeout(resolve, 500));
        t.true(child.running);
        const started = performance.now();
        mesh.policies(policy("nobody", { namespace: "mesh", selects: { app: server().name } }));
        const dialled = await report();
        t.true(performance.now() - started < 1_000, `it took ${performance.now() - started} ms`);
        t.true(["ECONNRESET", "ECONNABORTED"].includes(dialled.errno), dialled.errno);
        t.true(dialled.exact);
      },
    );

test.serial("a live connection that the changed policy still allows goes on", async (t) => {
  const flags = ["--send", "200000", "--chunk", "1000", "--every", "10", "--timeout", "20000"];
  const { report } = mesh.lab.dialling(client, near.ipv4!, port, flags);
  await new Promise((resolve) => setTimeout(resolve, 300));
  mesh.policies(onlyClient("near"));
  t.like(await report(), { result: "ok", sent: 200_000, received: 200_000, exact: true });
});
