import { readFileSync } from "node:fs";
import test from "ava";
import { LiveConnections } from "../../src/flows/live.ts";
import { FlowRing } from "../../src/flows/ring.ts";
import { internalCatalogue, type Series, trafficCatalogue, trafficLabels } from "../../src/metrics/catalogue.ts";
import { InternalMetrics } from "../../src/metrics/internals.ts";
import { TrafficMetrics } from "../../src/metrics/traffic.ts";
import { record, rows, shop } from "../flows/rows.ts";

const page = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");

const documented = (catalogue: Readonly<Record<string, Series>>): string[] =>
  Object.entries(catalogue).map(([name, { type, help, labels }]) => {
    const own = labels === trafficLabels || labels.length === 0 ? "" : labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${type} | ${own} | ${help} |`;
  });

test("docs/metrics.md lists every series as the catalogue has it, and no other", (t) => {
  const lines = page.split("\n").filter((line) => /^\| `(weir|istio)_/.test(line));
  t.deepEqual(lines, [...documented(trafficCatalogue), ...documented(internalCatalogue)]);
});

test("docs/metrics.md lists every label of the standard series", (t) => {
  t.deepEqual(
    trafficLabels.filter((label) => !page.includes(`\`${label}\``)),
    [],
  );
});

function internals() {
  const ring = new FlowRing({ rows: 8, deniedRows: 2 });
  ring.ingest("kernel", rows(record(), record()), 3);
  return new InternalMetrics({
    node: "a",
    version: "1.2.3",
    ring,
    live: new LiveConnections({ capacity: 4 }),
    traffic: new TrafficMetrics({ names: shop, place: { cluster: "c", domain: "d" } }),
    datapath: {
      counters: () => [5n, 6n],
      tables: () => [{ name: "pods", rows: 2, capacity: 1024 }],
    },
    proxy: () => ({
      connections: 1,
      connectionsTotal: 2,
      refusedTotal: 3,
      dialFailuresTotal: 4,
      revokedTotal: 5,
      bytesTotal: 6,
      recordsLostTotal: 7,
      verdictWritesTotal: 8,
      verdictWriteFailuresTotal: 9,
      descriptors: 10,
      descriptorLimit: 20_000,
      snapshotVersion: 11n,
      allocatedBytes: 12,
    }),
    agent: () => ({ configVersion: 7, configAgeSeconds: 1.5, configProblems: 0, podsCaptured: 2, driftRepaired: 1 }),
  });
}

test("every internal series is in the text, with help, type and what its source says", (t) => {
  const metrics = internals();
  const text = metrics.render();
  for (const [name, { type }] of Object.entries(internalCatalogue)) {
    t.true(text.includes(`# TYPE ${name} ${type}\n`));
    t.regex(text, new RegExp(`^${name}(\\{.*\\})? [0-9.e+-]+$`, "m"), `${name} has a value`);
  }
  for (const line of [
    'weir_build_info{version="1.2.3",node="a"} 1',
    'weir_kernel_events_total{event="records_lost"} 5',
    'weir_kernel_table_capacity{table="pods"} 1024',
    'weir_flow_rows_lost_total{source="kernel"} 3',
    'weir_flow_ring_rows{kind="allowed"} 2',
    "weir_proxy_snapshot_version 11",
    "weir_config_age_seconds 1.5",
  ])
    t.true(text.includes(`${line}\n`), line);
  t.notRegex(text, /NaN|undefined/);
  metrics.close();
});

test("every line of the text is a comment or a sample of a series that was announced", (t) => {
  const metrics = internals();
  let announced = "";
  for (const line of metrics.render().trimEnd().split("\n")) {
    announced = /^# TYPE (\S+) /.exec(line)?.[1] ?? announced;
    if (!line.startsWith("#")) t.true(line.startsWith(`${announced} `) || line.startsWith(`${announced}{`), line);
  }
  metrics.close();
});
