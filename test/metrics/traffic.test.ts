import test from "ava";
import { End, Kind, Path, RecordFlag } from "../../src/flows/record.ts";
import { TrafficMetrics } from "../../src/metrics/traffic.ts";
import { address, cartService, denied, namesOf, record, rows, shop, web, workload } from "../flows/rows.ts";

const place = { cluster: "Kubernetes", domain: "cluster.local" };
const metricsOf = (maxSeries?: number, names = shop) =>
  new TrafficMetrics({ names, place, ...(maxSeries !== undefined && { maxSeries }) });

/** Samples of a series as [labels, value]. */
function samples(metrics: TrafficMetrics, name: string): [Record<string, string>, number][] {
  const lines = metrics.render().split("\n");
  return lines
    .filter((line) => line.startsWith(`${name}{`))
    .map((line) => {
      const labels = [...line.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label!, value!]);
      return [Object.fromEntries(labels), Number(line.slice(line.lastIndexOf(" ") + 1))];
    });
}

const total = (metrics: TrafficMetrics, name: string, labels: Record<string, string> = {}): number =>
  samples(metrics, name)
    .filter(([has]) => Object.entries(labels).every(([label, value]) => has[label] === value))
    .reduce((sum, [, value]) => sum + value, 0);

const opened = "istio_tcp_connections_opened_total";
const closed = "istio_tcp_connections_closed_total";
const sent = "istio_tcp_sent_bytes_total";
const received = "istio_tcp_received_bytes_total";

test("the text is Prometheus text with Istio's labels, exactly", (t) => {
  const metrics = metricsOf();
  metrics.record(rows(record(), record({ kind: Kind.close, bytesToServer: 10, bytesToClient: 20 })));
  const labels =
    'reporter="destination",source_workload="web",source_workload_namespace="shop",source_canonical_service="web",' +
    'source_canonical_revision="latest",source_app="web",source_version="latest",' +
    'source_principal="spiffe://cluster.local/ns/shop/sa/web",source_cluster="Kubernetes",destination_workload="cart",' +
    'destination_workload_namespace="shop",destination_canonical_service="cart",destination_canonical_revision="latest",' +
    'destination_app="cart",destination_version="latest",destination_principal="spiffe://cluster.local/ns/shop/sa/cart",' +
    'destination_cluster="Kubernetes",destination_service="cart.shop.svc.cluster.local",destination_service_name="cart",' +
    'destination_service_namespace="shop",request_protocol="tcp",response_flags="-",connection_security_policy="unknown"';
  t.is(
    metrics.render(),
    [
      `# HELP ${opened} Connections opened.`,
      `# TYPE ${opened} counter`,
      `${opened}{${labels}} 1`,
      `# HELP ${closed} Connections closed.`,
      `# TYPE ${closed} counter`,
      `${closed}{${labels}} 1`,
      `# HELP ${sent} Bytes from server to client, whichever end reports.`,
      `# TYPE ${sent} counter`,
      `${sent}{${labels}} 20`,
      `# HELP ${received} Bytes from client to server, whichever end reports.`,
      `# TYPE ${received} counter`,
      `${received}{${labels}} 10`,
      "",
    ].join("\n"),
  );
});

test("label values are escaped", (t) => {
  const odd = workload(1, "shop", 'a"b\\c\nd', "10.0.0.1");
  const metrics = metricsOf(undefined, namesOf([odd]));
  metrics.record(rows(record({ destinationWorkload: 0, service: 0 })));
  t.true(metrics.render().includes('source_workload="a\\"b\\\\c\\nd"'));
});

test("bytes are counted once, however often a connection reports its growth", (t) => {
  const metrics = metricsOf();
  const at = (kind: number, bytesToServer: number, connection = 1) => record({ kind, connection, bytesToServer });
  metrics.record(rows(at(Kind.open, 0), at(Kind.update, 100)));
  t.is(total(metrics, received), 100);
  metrics.record(rows(at(Kind.update, 250), at(Kind.update, 250), at(Kind.close, 300), at(Kind.close, 7, 2)));
  t.is(total(metrics, received), 307);
  metrics.record(rows(at(Kind.close, 5)));
  t.is(total(metrics, received), 312, "a cookie that is used again starts from nothing");
});

test("both ends of a connection report, and bytes have the direction of the client", (t) => {
  const metrics = metricsOf();
  for (const [connection, end] of [
    [1, End.source],
    [2, End.destination],
  ] as const)
    metrics.record(rows(record({ connection, end, kind: Kind.close, bytesToServer: 1, bytesToClient: 2 })));
  for (const reporter of ["source", "destination"]) {
    t.is(total(metrics, received, { reporter }), 1);
    t.is(total(metrics, sent, { reporter }), 2);
  }
});

test("a denial is a connection with the flag DENY, one that never got through has CONNECT", (t) => {
  const metrics = metricsOf();
  metrics.record(rows(denied(), record({ kind: Kind.close, flags: RecordFlag.failed })));
  for (const name of [opened, closed]) {
    t.is(total(metrics, name, { response_flags: "DENY", source_workload: "probe" }), 1);
    t.is(total(metrics, name, { response_flags: "CONNECT", source_workload: "web" }), 1);
  }
});

test("a revocation counts nothing: the connection's opening and end do", (t) => {
  const metrics = metricsOf();
  metrics.record(rows(record(), denied({ verdict: { reason: 14 } }), record({ kind: Kind.close })));
  t.is(total(metrics, opened), 1);
  t.is(total(metrics, closed), 1);
});

test("a name without a proof has no principal; an address outside the mesh is unknown", (t) => {
  const metrics = metricsOf();
  metrics.record(rows(record({ sourceWorkload: 0, path: Path.passThrough })));
  metrics.record(rows(record({ sourceWorkload: 0, source: address("8.8.8.8") })));
  metrics.record(rows(record({ destinationWorkload: 0, service: 0, end: End.source })));
  const labels = samples(metrics, opened).map(([has]) => has);
  t.like(labels[0], { source_workload: "web", source_principal: "unknown" });
  t.like(labels[1], { source_workload: "unknown", source_canonical_revision: "latest", source_cluster: "unknown" });
  t.like(labels[2], { destination_service_name: "PassthroughCluster", destination_workload: "unknown" });
});

test("canonical names come from the labels Istio looks at", (t) => {
  const one = workload(1, "shop", "web", "10.0.0.1", {
    labels: {
      app: "x",
      "app.kubernetes.io/name": "frontend",
      version: "v1",
      "service.istio.io/canonical-revision": "blue",
    },
  });
  const metrics = metricsOf(undefined, namesOf([one]));
  metrics.record(rows(record()));
  t.like(samples(metrics, opened)[0]![0], {
    source_workload: "web",
    source_canonical_service: "frontend",
    source_canonical_revision: "blue",
  });
});

test("pods of one workload share their series", (t) => {
  const replicas = [1, 3, 4].map((id) => workload(id, "shop", "web", `10.0.1.${id}`));
  const metrics = metricsOf(undefined, namesOf(replicas));
  for (const { id } of replicas) metrics.record(rows(record({ sourceWorkload: id })));
  t.is(metrics.labelSets, 1);
  t.is(total(metrics, opened), 3);
});

test("series are capped: what has no room is counted under overflow labels, and nothing is lost", (t) => {
  const many = Array.from({ length: 200 }, (_, index) => workload(index + 10, "shop", `w${index}`, `10.1.0.${index}`));
  const metrics = metricsOf(100, namesOf(many, [cartService]));
  for (let round = 0; round < 2; round++)
    for (const { id } of many) metrics.record(rows(record({ sourceWorkload: id, destinationWorkload: 0 })));
  const lines = metrics
    .render()
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  t.true(lines.length <= 100, `${lines.length} series`);
  t.is(total(metrics, opened), 400);
  t.is(total(metrics, opened, { source_workload: "overflow" }), 400 - 2 * 19);
  t.is(metrics.overflowed, 400 - 2 * 19);
  t.like(samples(metrics, opened).at(-1)![0], {
    reporter: "destination",
    destination_service: "overflow",
    response_flags: "-",
  });
});

test("even all overflow label sets together stay below the cap", (t) => {
  const metrics = metricsOf(24, namesOf([web]));
  for (const end of [End.source, End.destination])
    metrics.record(rows(record({ end }), denied({ end }), record({ end, kind: Kind.close, flags: RecordFlag.failed })));
  t.is(metrics.labelSets, 6);
  t.is(
    metrics
      .render()
      .split("\n")
      .filter((line) => line.startsWith("istio")).length,
    24,
  );
});

test("a connection that was adopted counts only what it moves afterwards", (t) => {
  const metrics = metricsOf();
  metrics.adopt(rows(record({ kind: Kind.update, connection: 5, bytesToServer: 1_000 })));
  t.is(total(metrics, received), 0);
  metrics.record(rows(record({ kind: Kind.update, connection: 5, bytesToServer: 1_010 })));
  metrics.record(rows(record({ kind: Kind.close, connection: 5, bytesToServer: 1_011 })));
  t.is(total(metrics, received), 11);
});

test("growth that cannot be remembered is counted at the end, not twice", (t) => {
  const metrics = metricsOf();
  const batch = Array.from({ length: 65_537 }, (_, connection) =>
    record({ kind: Kind.update, connection, bytesToServer: 1 }),
  );
  metrics.record(rows(...batch));
  t.is(metrics.skipped, 1);
  t.is(total(metrics, received), 65_536);
  metrics.record(rows(record({ kind: Kind.close, connection: 65_536, bytesToServer: 3 })));
  t.is(total(metrics, received), 65_539);
});
