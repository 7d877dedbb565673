import test from "ava";
import { decodeFlow, flowId, sequenceOf } from "../../src/flows/flow.ts";
import { End, Kind, Path, RecordFlag } from "../../src/flows/record.ts";
import { address, cart, denied, namesOf, type RecordFields, record, rows, shop, web } from "./rows.ts";

const flowOf = (fields: RecordFields = {}, one = record(fields)) =>
  decodeFlow({ rows: rows(one), offset: 0, sequence: 4660, timeUs: 1_780_000_000_123_456 }, "a", shop);

test("an allowed connection has names, identities, Service and what was dialled", (t) => {
  t.like(flowOf(), {
    id: "a-3lg",
    time: "2026-05-28T20:26:40.123Z",
    kind: "open",
    end: "destination",
    path: "direct",
    verdict: "allowed",
    reason: { code: "NO_POLICY", text: "allowed: no ALLOW policy selects the destination" },
    service: { namespace: "shop", name: "cart" },
    dialled: { address: "10.96.0.7", port: 80 },
    source: {
      namespace: "shop",
      pod: "web-1",
      workload: { kind: "Deployment", name: "web" },
      serviceAccount: "web",
      identity: "spiffe://cluster.local/ns/shop/sa/web",
      address: "10.0.0.1",
      port: 40_000,
      node: "a",
    },
    destination: { pod: "cart-1", identity: "spiffe://cluster.local/ns/shop/sa/cart" },
  });
});

test("a denial names policy and rule, in fields and in words", (t) => {
  const flow = flowOf({}, denied());
  t.is(flow.verdict, "denied");
  t.deepEqual(flow.reason.policy, { namespace: "shop", name: "no-tools", action: "DENY" });
  t.deepEqual(flow.reason.rule, { index: 0, text: "from namespaces tools" });
  t.is(
    flow.reason.text,
    "denied: a rule of a DENY policy matches (DENY policy shop/no-tools, rule 0: from namespaces tools)",
  );
});

test("a dry-run policy says what it would have done", (t) => {
  const flow = flowOf({ verdict: { dryRunAction: 2, dryRunPolicy: 5, dryRunRule: 0 } });
  t.is(flow.verdict, "allowed");
  t.is(flow.dryRun?.verdict, "denied");
  t.is(flow.dryRun?.text, "would be denied (dry-run DENY policy shop/no-tools, rule 0: from namespaces tools)");
});

test("an address alone gives a name, and no identity", (t) => {
  const flow = flowOf({ sourceWorkload: 0, path: Path.passThrough });
  t.is(flow.source.pod, "web-1");
  t.is(flow.source.identity, undefined);
});

test("a destination elsewhere has a name, and no proved identity at the source's end", (t) => {
  t.is(flowOf({ end: End.source, path: Path.proxied }).destination.identity, undefined);
  t.is(flowOf({ end: End.source, path: Path.direct }).destination.identity, "spiffe://cluster.local/ns/shop/sa/cart");
});

test("an end outside the mesh has its address only", (t) => {
  const flow = flowOf({
    sourceWorkload: 0,
    source: address("2001:db8::5"),
    service: 0,
    dialled: cart.addresses[0]!,
    dialledPort: 8080,
  });
  t.deepEqual(flow.source, { address: "2001:db8::5", port: 40_000 });
  t.is(flow.dialled, undefined);
  t.is(flow.service, undefined);
});

test("ids that nobody remembers leave the address and a sentence without names", (t) => {
  const row = { rows: rows(denied()), offset: 0, sequence: 1, timeUs: 0 };
  const flow = decodeFlow(row, "a", namesOf([]));
  t.is(flow.source.pod, undefined);
  t.deepEqual(flow.reason, { code: "DENY_RULE", text: "denied: a rule of a DENY policy matches" });
});

test("the end of a connection has its figures and flags", (t) => {
  const flags = RecordFlag.reset | RecordFlag.cleartext;
  const fields = { kind: Kind.close, bytesToServer: 5, bytesToClient: 6, durationNs: 1_500_000, retransmits: 2, flags };
  t.like(flowOf(fields), {
    kind: "close",
    bytesToServer: 5,
    bytesToClient: 6,
    durationMs: 1.5,
    rttUs: 120,
    retransmits: 2,
    reset: true,
    cleartext: true,
    failed: false,
  });
});

test("a reason newer than this build is named by its number", (t) => {
  t.is(flowOf({ verdict: { reason: 200 } }).reason.code, "REASON_200");
});

test("a flow id gives its sequence number back, on its own node only", (t) => {
  t.is(sequenceOf(flowId("node-1", 123_456_789), "node-1"), 123_456_789);
  t.is(sequenceOf("node-1-zz", "node"), undefined);
  t.is(sequenceOf("nonsense", "node"), undefined);
  t.is(sequenceOf("node-ZZ", "node"), undefined);
});

test("a workload that has both ends of a connection is named at both", (t) => {
  const flow = flowOf({ destination: web.addresses[0]!, destinationWorkload: web.id });
  t.is(flow.destination.pod, flow.source.pod);
});
