// An agent for tests of the admin interface and the CLI: the shop of test/flows/rows.ts, with nothing behind it.
import type { AdminSources, AgentStatus, ScrapeSources } from "../../src/admin/sources.ts";
import { FlowRing } from "../../src/flows/ring.ts";
import type { Policy } from "../../src/policy/policy.ts";
import type { Connection } from "../../src/policy/questions.ts";
import { cart, cartService, denied, denyTools, probe, record, rows, shop, web, workload } from "../flows/rows.ts";

export interface TestAgent extends AdminSources, ScrapeSources {
  readonly ring: FlowRing;
  /** What explain() was asked, in order. */
  readonly asked: Connection[];
  ready: boolean;
}

export const elsewhere = workload(8, "shop", "far", "10.9.0.1", { node: "b", local: false });

/** Three flows are in its ring: web to cart allowed, then closed, and probe to cart denied. */
export function testAgent(): TestAgent {
  const ring = new FlowRing({ rows: 64, deniedRows: 16, firstSequence: 35 });
  const now = Number(process.hrtime.bigint());
  const records = [record(), record({ kind: 3, bytesToServer: 1_234, bytesToClient: 20, durationNs: 1.5e9 }), denied()];
  ring.ingest("kernel", rows(...records.map((one) => ({ ...one, timeNs: now }))), 0);
  const asked: Connection[] = [];
  const unsupported: Policy = {
    ...denyTools,
    name: "odd",
    action: "ALLOW",
    dryRun: true,
    rulesText: [],
    conditions: [{ type: "Unsupported", status: true, reason: "L7", message: "rule 0 names methods" }],
  };
  return {
    ring,
    asked,
    ready: true,
    flows: { ring, names: shop, node: "a" },
    place: { cluster: "east", hostAddresses: new Set() },
    status() {
      return { ...status, ready: this.ready };
    },
    workloads: () => [probe, elsewhere, cart, web],
    services: () => [
      cartService,
      { ...cartService, name: "empty", addresses: [], ports: [{ name: "", port: 5, endpoints: [] }] },
    ],
    policies: () => [unsupported, denyTools],
    explain(connection) {
      asked.push(connection);
      const allowed = connection.sourceWorkload === web.id;
      const decision = allowed ? "allowed: no policy is against it" : "denied by DENY shop/no-tools rule 0";
      const considered = ["DENY shop/no-tools rule 0 matched"];
      return {
        allowed,
        decision,
        nearest: allowed ? undefined : "nearest: none",
        dryRun: undefined,
        notes: [],
        considered,
      };
    },
    metrics: () => "weir_up 1\n",
    notReady() {
      return this.ready ? undefined : "no configuration is in force yet";
    },
  };
}

const status: AgentStatus = {
  node: "a",
  version: "1.2.3",
  pid: 42,
  startedAt: new Date(Date.now() - 3_600_000).toISOString(),
  ready: true,
  problems: [
    { code: "FILE_SYNTAX", where: "web.yaml:3", message: "the text is not valid YAML", next: "Correct the text." },
  ],
  config: { source: "file:/etc/weir", version: 7, ageSeconds: 2, workloads: 4, services: 2, policies: 2 },
  kernel: {
    adopted: true,
    podsCaptured: 3,
    driftRepaired: 1,
    tables: [
      { name: "pods", rows: 3, capacity: 1024 },
      { name: "affinities", rows: 0, capacity: 16_384 },
    ],
  },
  proxy: { connections: 5, descriptors: 60, descriptorLimit: 20_000, snapshotVersion: 7 },
  flows: { seen: 3, stored: 3, capacity: 80, lost: { kernel: 2, proxy: 0, agent: 0 } },
  memory: { resident: 80e6, heap: 12e6, proxy: 3e6 },
  addresses: { admin: "/run/weir/a/admin.sock", hubble: "/run/weir/a/hubble.sock", metrics: "127.0.0.1:15020" },
};
