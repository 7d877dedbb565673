// Records and names for tests: a small shop, and rows as the kernel would write them.
import { End, encodeRecord, type FlowRecord, Kind, Path, RECORD_SIZE } from "../../src/flows/record.ts";
import { parseAddress } from "../../src/mesh/address.ts";
import type { Names } from "../../src/mesh/names.ts";
import type { Service } from "../../src/mesh/service.ts";
import type { Workload } from "../../src/mesh/workload.ts";
import type { Policy } from "../../src/policy/policy.ts";

export const address = (text: string): Uint8Array => parseAddress(text)!;

export function workload(
  id: number,
  namespace: string,
  name: string,
  ip: string,
  more: Partial<Workload> = {},
): Workload {
  return {
    id,
    uid: `${namespace}/${name}`,
    namespace,
    name: `${name}-1`,
    labels: { app: name },
    serviceAccount: name,
    trustDomain: "cluster.local",
    node: "a",
    addresses: [address(ip)],
    netns: `/run/netns/${name}`,
    ready: true,
    hostNetwork: false,
    owner: { kind: "Deployment", name },
    ports: [],
    local: true,
    captured: true,
    notCaptured: undefined,
    failure: "closed",
    ...more,
  };
}

export const web = workload(1, "shop", "web", "10.0.0.1");
export const cart = workload(2, "shop", "cart", "10.0.0.2", { ports: [{ name: "http", port: 8080 }] });
export const probe = workload(3, "tools", "probe", "10.0.0.3", { labels: { app: "probe", version: "v2" } });

export const cartService: Service = {
  id: 9,
  namespace: "shop",
  name: "cart",
  addresses: [address("10.96.0.7")],
  ports: [],
  affinitySeconds: 0,
};

export const denyTools: Policy = {
  id: 5,
  namespace: "shop",
  name: "no-tools",
  action: "DENY",
  dryRun: false,
  rulesText: ["from namespaces tools"],
  conditions: [],
};

export function namesOf(
  workloads: readonly Workload[],
  services: readonly Service[] = [],
  policies: readonly Policy[] = [],
): Names {
  const key = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  const byAddress = new Map(workloads.flatMap((one) => one.addresses.map((bytes) => [key(bytes), one] as const)));
  return {
    workload: (id) => workloads.find((one) => one.id === id),
    workloadAt: (bytes) => byAddress.get(key(bytes)),
    service: (id) => services.find((one) => one.id === id),
    policy: (id) => policies.find((one) => one.id === id),
  };
}

export const shop = namesOf([web, cart, probe], [cartService], [denyTools]);

export type RecordFields = Partial<Omit<FlowRecord, "verdict">> & { readonly verdict?: Partial<FlowRecord["verdict"]> };

/** A record from web to cart through the cart Service, seen at the destination unless told otherwise. */
export function record(fields: RecordFields = {}): FlowRecord {
  return {
    timeNs: 1_000_000_000,
    connection: 77,
    durationNs: 0,
    bytesToServer: 0,
    bytesToClient: 0,
    source: web.addresses[0]!,
    destination: cart.addresses[0]!,
    dialled: cartService.addresses[0]!,
    sourcePort: 40_000,
    destinationPort: 8080,
    dialledPort: 80,
    kind: Kind.open,
    end: End.destination,
    path: Path.direct,
    flags: 0,
    sourceWorkload: web.id,
    destinationWorkload: cart.id,
    service: cartService.id,
    rttUs: 120,
    retransmits: 0,
    ...fields,
    verdict: {
      action: 1,
      reason: 1,
      policy: 0,
      rule: 0,
      dryRunAction: 0,
      dryRunPolicy: 0,
      dryRunRule: 0,
      generation: 1,
      ...fields.verdict,
    },
  };
}

/** A refused connection from probe to cart. */
export const denied = (fields: RecordFields = {}): FlowRecord =>
  record({
    kind: Kind.deny,
    path: Path.none,
    source: probe.addresses[0]!,
    sourceWorkload: probe.id,
    ...fields,
    verdict: { action: 2, reason: 6, policy: denyTools.id, ...fields.verdict },
  });

export function rows(...records: readonly FlowRecord[]): Buffer {
  const batch = Buffer.alloc(records.length * RECORD_SIZE);
  for (const [index, one] of records.entries()) encodeRecord(one, batch, index * RECORD_SIZE);
  return batch;
}
