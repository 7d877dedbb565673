// The hubble CLI itself, where HUBBLE_BIN names one: the same protocol, read by its owner's client.
import { execFile } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { End, Kind } from "../../src/flows/record.ts";
import { FlowRing } from "../../src/flows/ring.ts";
import { HubbleServer } from "../../src/hubble/server.ts";
import { denied, record, rows, shop } from "../flows/rows.ts";

const binary = process.env.HUBBLE_BIN;
const withHubble = binary === undefined ? test.skip : test.serial;

if (binary === undefined)
  test("the hubble CLI was not tried: HUBBLE_BIN names none", (t) => {
    t.log("set HUBBLE_BIN to a hubble binary to run these");
    t.pass();
  });

const socket = join(mkdtempSync(join(tmpdir(), "weir-hubble-")), "hubble.sock");
const ring = new FlowRing({ rows: 64, deniedRows: 16 });
const place = { cluster: "east", hostAddresses: new Set<string>() };
const server = new HubbleServer({ sources: { ring, names: shop, node: "a" }, place, socket, version: "1.2.3" });

test.before(async () => {
  await server.listen();
  const now = Number(process.hrtime.bigint());
  const verdict = { dryRunAction: 2, dryRunPolicy: 5 };
  const records = [record({ end: End.source }), record(), denied(), record({ verdict }), record({ kind: Kind.close })];
  ring.ingest("kernel", rows(...records.map((one) => ({ ...one, timeNs: now }))), 0);
});
test.after.always(() => server.close());

async function hubble(...args: string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)(binary!, [...args, "--server", `unix://${socket}`]);
  return stdout.trimEnd().split("\n");
}

withHubble("hubble status says that the server is well and how full it is", async (t) => {
  const lines = (await hubble("status")).join("\n");
  t.regex(lines, /Ok$/m);
  t.regex(lines, /Current\/Max Flows: 5\/80/);
  t.regex(lines, /Connected Nodes: 1\/1/);
});

withHubble("hubble list nodes and namespaces list them", async (t) => {
  t.regex((await hubble("list", "nodes"))[1]!, /^east\/a +Connected/);
  t.deepEqual(await hubble("list", "namespaces"), ["NAMESPACE", "shop", "tools"]);
});

withHubble("hubble observe shows names, directions, types, verdicts and reasons", async (t) => {
  const lines = (await hubble("observe", "--print-policy-names")).map((line) => line.replace(/^.{21}/, ""));
  const web = /^shop\/web-1:40000 \(ID:\d+\) -> shop\/cart-1:8080 \(ID:\d+\) /;
  t.regex(lines[0]!, web);
  t.regex(lines[0]!, / to-stack FORWARDED \(TCP Flags: SYN\)$/);
  t.regex(lines[1]!, / to-endpoint FORWARDED \(TCP Flags: SYN\)$/);
  t.regex(lines[2]!, / policy-verdict:L3-L4 INGRESS DENIED BY no-tools \(AuthorizationPolicy\) \(denied: /);
  t.regex(lines[3]!, / policy-verdict:none INGRESS AUDITED BY |AUDITED/);
  t.regex(lines[4]!, / to-endpoint FORWARDED \(TCP Flags: FIN, ACK; /);
});

withHubble("hubble observe filters", async (t) => {
  const count = async (...flags: string[]) =>
    (await hubble("observe", "-o", "json", "--all", ...flags)).filter(Boolean).length;
  t.is(await count("--verdict", "DROPPED"), 1);
  t.is(await count("--pod", "shop/web"), 4);
  t.is(await count("--not", "--namespace", "tools"), 4);
  t.is(await count("--from-label", "app=probe"), 1);
  t.is(await count("--to-service", "shop/cart", "--traffic-direction", "egress"), 1);
  t.is(await count("-t", "policy-verdict"), 2);
  t.is(await count("--node-name", "a"), 5);
  t.is(await count("--ip", "10.0.0.3"), 1);
});
