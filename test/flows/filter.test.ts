import test from "ava";
import { identityNumber } from "../../src/flows/facets.ts";
import { compileFilters, type FlowFilter } from "../../src/flows/filter.ts";
import { decodeFlow } from "../../src/flows/flow.ts";
import { End, type FlowRecord, Kind, Path } from "../../src/flows/record.ts";
import { address, denied, record, rows, shop } from "./rows.ts";

const place = { cluster: "east", hostAddresses: new Set(["192.0.2.1"]) };
const flowOf = (one: FlowRecord) => decodeFlow({ rows: rows(one), offset: 0, sequence: 50, timeUs: 0 }, "a", shop);

/** web -> cart allowed; probe -> cart denied; world -> cart; audited; host -> cart over IPv6. */
const flows = {
  web: flowOf(record()),
  denied: flowOf(denied()),
  world: flowOf(record({ sourceWorkload: 0, source: address("8.8.4.4"), path: Path.passThrough, service: 0 })),
  audited: flowOf(record({ end: End.source, verdict: { dryRunAction: 2, dryRunPolicy: 5 } })),
  host: flowOf(record({ sourceWorkload: 0, source: address("192.0.2.1"), sourcePort: 9, kind: Kind.close })),
  six: flowOf(record({ sourceWorkload: 0, source: address("2001:db8::9"), destination: address("2001:db8::1") })),
};

type Name = keyof typeof flows;
const all = Object.keys(flows) as Name[];

const select = (allow: FlowFilter[], deny: FlowFilter[] = []): Name[] => {
  const matches = compileFilters(allow, deny, place);
  return all.filter((name) => matches(flows[name]));
};

const selects = test.macro({
  exec(t, filter: FlowFilter, expected: Name[]) {
    t.deepEqual(select([filter]), expected);
    t.deepEqual(
      select([], [filter]),
      all.filter((name) => !expected.includes(name)),
      "and a denylist takes away just these",
    );
  },
  title: (_, filter) => `the filter ${JSON.stringify(filter)} selects by Hubble's rules`,
});

test(selects, { sourcePod: ["shop/web"] }, ["web", "audited"]);
test(selects, { sourcePod: ["shop/we"] }, ["web", "audited"]);
test(selects, { sourcePod: ["shop/"] }, ["web", "audited"]);
test(selects, { sourcePod: ["/probe"] }, ["denied"]);
test(selects, { sourcePod: ["web"] }, []);
test(selects, { sourcePod: ["shop/x", "tools/"] }, ["denied"]);
test(selects, { destinationPod: ["shop/cart"], sourcePod: ["tools/probe-1"] }, ["denied"]);
test(selects, { sourceIp: ["8.8.4.4"] }, ["world"]);
test(selects, { sourceIp: ["8.8.0.0/16", "10.0.0.3/32"] }, ["denied", "world"]);
test(selects, { sourceIp: ["2001:db8::/32"] }, ["six"]);
test(selects, { sourceIp: ["0.0.0.0/0"] }, ["web", "denied", "world", "audited", "host"]);
test(selects, { destinationIp: ["10.0.0.2"] }, ["web", "denied", "world", "audited", "host"]);
test(selects, { ipVersion: ["IPv6"] }, ["six"]);
test(selects, { sourcePort: ["9"] }, ["host"]);
test(selects, { destinationPort: ["8080", "1"] }, all);
test(selects, { sourceLabel: ["app=web"] }, ["web", "audited"]);
test(selects, { sourceLabel: ["k8s:app in (web,probe), version"] }, ["denied"]);
test(selects, { sourceLabel: ["app,!version"] }, ["web", "audited"]);
test(selects, { sourceLabel: ["app,app!=probe"] }, ["web", "audited"]);
test(selects, { sourceLabel: ["app,app notin (web)"] }, ["denied"]);
test(selects, { sourceLabel: ["reserved:world"] }, ["world", "six"]);
test(selects, { sourceLabel: ["reserved:host"] }, ["host"]);
test(selects, { sourceLabel: ["io.kubernetes.pod.namespace=tools"] }, ["denied"]);
test(selects, { sourceLabel: ["reserved:app"] }, []);
test(selects, { destinationService: ["shop/ca"] }, ["web", "denied", "audited", "host", "six"]);
test(selects, { sourceService: ["shop/cart"] }, []);
test(selects, { sourceWorkload: [{ kind: "Deployment", name: "probe" }] }, ["denied"]);
test(selects, { sourceWorkload: [{ kind: "DaemonSet" }] }, []);
test(selects, { destinationWorkload: [{ name: "cart" }] }, ["web", "denied", "world", "audited", "host", "six"]);
test(selects, { sourceIdentity: [2] }, ["world", "six"]);
test(selects, { sourceIdentity: [1] }, ["host"]);
test(selects, { sourceIdentity: [identityNumber(flows.web.source, place)] }, ["web", "audited"]);
test(selects, { verdict: ["DROPPED"] }, ["denied"]);
test(selects, { verdict: ["AUDIT"] }, ["audited"]);
test(selects, { verdict: ["FORWARDED"] }, ["web", "world", "host", "six"]);
test(selects, { dropReasonDesc: ["POLICY_DENY"] }, ["denied"]);
test(selects, { eventType: [{ type: 5 }] }, ["denied", "audited"]);
test(selects, { eventType: [{ type: 4, matchSubType: true, subType: 0 }] }, ["web", "world", "host", "six"]);
test(selects, { eventType: [{ type: 4, matchSubType: true, subType: 3 }] }, []);
test(selects, { trafficDirection: ["EGRESS"] }, ["audited"]);
test(selects, { protocol: ["TCP"] }, all);
test(selects, { protocol: ["udp", "dns"] }, []);
test(selects, { reply: [false] }, all);
test(selects, { reply: [true] }, []);
test(selects, { tcpFlags: [{ FIN: true }] }, ["host"]);
test(selects, { tcpFlags: [{ SYN: true, ACK: true }, { RST: true }] }, []);
test(selects, { nodeName: ["a"] }, all);
test(selects, { nodeName: ["east/*"] }, all);
test(selects, { nodeName: ["b", "west/a"] }, []);
test(selects, { sourceClusterName: ["ea*"] }, ["web", "denied", "audited"]);
test(selects, { uuid: [flows.web.id] }, all);
test(selects, { encrypted: [true] }, []);
test(selects, { never: ["http_method"] }, []);
test(selects, {}, all);

test("several filters are alternatives, and a denylist wins", (t) => {
  t.deepEqual(select([{ sourcePod: ["shop/"] }, { sourcePod: ["tools/"] }]), ["web", "denied", "audited"]);
  t.deepEqual(select([{ sourcePod: ["shop/"] }], [{ verdict: ["AUDIT"] }]), ["web"]);
  t.deepEqual(select([]), all);
});

for (const [name, filter] of Object.entries({
  "an address": { sourceIp: ["10.0.0.300"] },
  "a range": { sourceIp: ["10.0.0.0/33"] },
  "a port": { destinationPort: ["70000"] },
  "a selector": { sourceLabel: ["a=b=c"] },
  "an empty selector": { sourceLabel: [""] },
  "a protocol": { protocol: ["quux"] },
  "an empty pod name": { sourcePod: [""] },
  "an unknown field": { colour: ["red"] },
} as Record<string, FlowFilter>)) {
  test(`${name} of a wrong form is refused with a sentence`, (t) => {
    t.throws(() => compileFilters([filter], [], place), { code: "QUERY_INVALID" } as never);
  });
}

test("pods of one workload share an identity number on every node, others do not", (t) => {
  const web = identityNumber(flows.web.source, place);
  const sibling = { ...flows.web.source, pod: "web-2", node: "b", address: "10.9.9.9" };
  const labels = { ...sibling.labels, "pod-template-hash": "abc" };
  t.is(identityNumber({ ...sibling, labels }, place), web);
  t.not(identityNumber({ ...sibling, serviceAccount: "other" }, place), web);
  t.true(web >= 256 && web < 2 ** 24);
});
