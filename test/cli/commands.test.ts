import { mkdirSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { AdminServer } from "../../src/admin/server.ts";
import { testAgent } from "../admin/agent.ts";
import { record, rows } from "../flows/rows.ts";
import { emptyDirectory, type RunOptions, weir } from "./run.ts";

const agent = testAgent();
const runDirectory = emptyDirectory();
const socket = join(runDirectory, "a", "admin.sock");
mkdirSync(join(runDirectory, "a"));
const server = new AdminServer({ sources: agent, socket, metrics: { host: "127.0.0.1", port: 0 } });

test.before(() => server.listen());
test.after.always(() => server.close());

const ask = (args: string, options: RunOptions = {}) => weir(args.split(" "), { runDirectory, ...options });

test.serial("status says how the agent is, with its problems", async (t) => {
  const { exit, stdout } = await ask("status");
  t.is(exit, 0);
  for (const pattern of [
    /^node: +a, ready for 1 h 0 min, pid 42$/m,
    /^config: +version 7 from file:\/etc\/weir, in force for 2\.0 s$/m,
    /^kernel: +3 pods captured, adopted from the agent before this one, 1 times repaired$/m,
    /^tables: +pods 3\/1024$/m,
    /^lost: +2 by kernel$/m,
    /^memory: +80\.0 MB resident: 12\.0 MB script heap, 3\.0 MB node proxy$/m,
    /^problem web\.yaml:3: the text is not valid YAML\n {2}Correct the text\.$/m,
  ])
    t.regex(stdout, pattern);
});

test.serial("get prints tables in order of namespace and name", async (t) => {
  t.is(
    (await ask("get workloads -n shop")).stdout,
    [
      "NAMESPACE   POD      WORKLOAD          NODE   ADDRESSES   READY   CAPTURED",
      "shop        cart-1   Deployment/cart   a      10.0.0.2    yes     yes",
      "shop        far-1    Deployment/far    b      10.9.0.1    yes     yes",
      "shop        web-1    Deployment/web    a      10.0.0.1    yes     yes",
      "",
    ].join("\n"),
  );
  t.regex((await ask("get services")).stdout, /^shop +empty +headless +5 +none$/m);
  const policies = (await ask("get policies")).stdout;
  t.regex(policies, /^shop +no-tools +DENY +from namespaces tools +accepted$/m);
  t.regex(policies, /^shop +odd +ALLOW \(dry run\) +none +Unsupported: rule 0 names methods$/m);
});

test.serial("-o json prints what the admin interface answers", async (t) => {
  t.is(JSON.parse((await ask("get services -o json")).stdout)[0].name, "cart");
  t.is(JSON.parse((await ask("status -o json")).stdout).config.version, 7);
  t.is(JSON.parse((await ask("why a-11 -o json")).stdout).flow.id, "a-11");
});

test.serial("observe prints a line for each flow, with the reason in words", async (t) => {
  const { exit, stdout } = await ask("observe");
  t.is(exit, 0);
  const [open, close, deny] = stdout.split("\n");
  const time = /^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\.\d{3}: /;
  for (const line of [open, close, deny]) t.regex(line!, time);
  t.is(
    open!.replace(time, ""),
    "shop/web-1:40000 -> shop/cart-1:8080 open direct ingress ALLOWED " +
      "(allowed: no ALLOW policy selects the destination; Service shop/cart)",
  );
  t.is(
    close!.replace(time, ""),
    "shop/web-1:40000 -> shop/cart-1:8080 close direct ingress ALLOWED " +
      "(1.2 kB to server, 20 B to client, 1.5 s, round trip 0.12 ms; Service shop/cart)",
  );
  t.is(
    deny!.replace(time, ""),
    "tools/probe-1:40000 -> shop/cart-1:8080 deny DENIED " +
      "(denied: a rule of a DENY policy matches (DENY policy shop/no-tools, rule 0: from namespaces tools); Service shop/cart)",
  );
});

test.serial("observe prints blocks, tables, and both kinds of JSON", async (t) => {
  const dict = (await ask("observe --last 1 -o dict")).stdout;
  t.regex(dict, /^ {9}ID: a-11$/m);
  t.regex(dict, /^ {5}SOURCE: tools\/probe-1:40000 \(spiffe:\/\/cluster\.local\/ns\/tools\/sa\/probe\)$/m);
  t.regex(dict, /^ {5}REASON: denied: a rule of a DENY policy matches/m);
  t.regex(dict, /^ {4}DIALLED: 10\.96\.0\.7:80$/m);
  t.is((await ask("observe -o dict")).stdout.split("------------").length, 3);
  const table = (await ask("observe -o tab --print-node-name")).stdout.split("\n");
  t.regex(table[0]!, /^TIMESTAMP +NODE +SOURCE +DESTINATION +TYPE +VERDICT +SUMMARY$/);
  t.is(table.length, 5);
  const json = (await ask("observe -o json")).stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  t.deepEqual(
    json.map(({ id }) => id),
    ["a-z", "a-10", "a-11"],
  );
  const hubble = JSON.parse((await ask("observe -o jsonpb --last 1")).stdout);
  t.like(hubble, { node_name: "east/a", flow: { uuid: "a-11", verdict: "DROPPED" } });
});

test.serial("observe filters as hubble observe does", async (t) => {
  const ids = async (flags: string) =>
    (await ask(`observe -o json ${flags}`)).stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line).id);
  t.deepEqual(await ids("--verdict DROPPED"), ["a-11"]);
  t.deepEqual(await ids("--verdict denied"), ["a-11"]);
  t.deepEqual(await ids("--from-pod shop/web --tcp-flags fin"), ["a-10"]);
  t.deepEqual(await ids("-n tools"), ["a-11"]);
  t.deepEqual(await ids("-n shop --pod web"), ["a-z", "a-10"]);
  t.deepEqual(await ids("--not --from-namespace shop --to-port 8080"), ["a-11"]);
  t.deepEqual(await ids("--first 1"), ["a-z"]);
  t.deepEqual(await ids("--all --since 1h"), ["a-z", "a-10", "a-11"]);
  t.deepEqual(await ids("-6"), []);
});

test.serial("observe --follow goes on until Ctrl-C, and says what was lost", async (t) => {
  const following = ask("observe --follow --last 1", { stopAfterLines: 2 });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const now = Number(process.hrtime.bigint());
  agent.ring.ingest("proxy", rows(record({ timeNs: now, destinationPort: 9 })), 4);
  const { exit, stdout, stderr } = await following;
  t.is(exit, 0);
  t.is(stdout.trimEnd().split("\n").length, 2);
  t.is(stderr, "EVENTS LOST: 4 by proxy\n");
});

test.serial("a terminal that shows colours gets them", async (t) => {
  const esc = String.fromCharCode(27);
  t.true((await ask("observe --last 20", { color: true })).stdout.includes(`${esc}[32mALLOWED${esc}[0m`));
  t.false((await ask("observe --last 20")).stdout.includes(esc));
});

test.serial("why explains a connection that could be, and exits with its verdict", async (t) => {
  const allowed = await ask("why --from shop/web-1 --to shop/cart-1:8080");
  t.is(allowed.exit, 0);
  t.is(
    allowed.stdout,
    [
      "shop/web-1 -> shop/cart-1:8080",
      "client identity proved by the kernel of this node",
      "ALLOWED",
      "  allowed: no policy is against it",
      "",
      "considered, in order:",
      "  DENY shop/no-tools rule 0 matched",
      "",
    ].join("\n"),
  );
  const denied = await ask("why --from tools/probe-1 --to shop/cart-1:8080");
  t.is(denied.exit, 1);
  t.regex(denied.stdout, /DENIED\n {2}denied by DENY shop\/no-tools rule 0\n {2}nearest: none\n/);
});

test.serial("why explains a flow: what was decided then, and what would be now", async (t) => {
  const { exit, stdout } = await ask("why a-11");
  t.is(exit, 1);
  t.regex(stdout, /then, at .*: DENIED\n {2}denied: a rule of a DENY policy matches/);
  t.regex(stdout, /now:\nDENIED\n/);
});

test.serial("errors of the agent are printed once, with what to do, and have their exit code", async (t) => {
  const missing = await ask("why a-zz");
  t.is(missing.exit, 4);
  t.regex(missing.stderr, /^weir: there is no flow a-zz in the memory of this agent\n {2}\S.*\n$/);
  const wrong = await ask("observe --ip nonsense");
  t.is(wrong.exit, 2);
  t.regex(wrong.stderr, /"nonsense" is neither an IP address nor a CIDR range/);
  t.is(JSON.parse((await ask("why a-zz -o json")).stderr).code, "NOT_FOUND");
});

test.serial("an agent that is not ready makes status fail", async (t) => {
  agent.ready = false;
  const { exit, stdout } = await ask("status");
  agent.ready = true;
  t.is(exit, 1);
  t.regex(stdout, /^node: +a, not ready/m);
});
