// Sends the desired state down: the only caller of native writes. The order is what keeps every moment right; see
// ARCHITECTURE.md, "A config change".
import type { Log } from "../log.ts";
import type { Ids } from "../mesh/ids.ts";
import type { Service } from "../mesh/service.ts";
import type { Datapath, WorkloadRow } from "../native/datapath.ts";
import type { NodeProxy } from "../native/proxy.ts";
import type { Captures } from "./captures.ts";
import type { SnapshotChange } from "./diff.ts";
import { encodeChange, encodeSnapshot, type Limits } from "./encode.ts";
import { addressKey, serviceAddressRows, serviceRows, workloadRows } from "./rows.ts";
import type { GuardedWorkload } from "./snapshot.ts";

export interface PublisherOptions {
  readonly datapath: Datapath;
  readonly proxy: NodeProxy;
  readonly captures: Captures;
  readonly ids: Ids;
  readonly limits: Limits;
  readonly log: Log;
}

export class Publisher {
  readonly #options: PublisherOptions;
  #started = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Makes a change true in node proxy and kernel. Live connections are the caller's to judge again. */
  async publish(change: SnapshotChange): Promise<void> {
    const { datapath, proxy, captures, ids, limits, log } = this.#options;
    const started = performance.now();
    datapath.setIdHighWater(ids.highWater());
    await proxy.apply(this.#started ? encodeChange(change) : encodeSnapshot(change.next, limits));
    this.#dropServices(change);
    this.#writeWorkloads(change.workloads.upserted, leavingIn(change));
    this.#writeServices(change.services.upserted);
    this.#dropWorkloads(change);
    if (!this.#started) {
      captures.releaseUnknown();
      this.#dropAdopted(change);
      this.#started = true;
    }
    log.debug({ version: change.next.version, ms: performance.now() - started }, "published a snapshot");
  }

  /** Tries again what could not be captured; answers how many now are. */
  retryCaptures(workload: (id: number) => GuardedWorkload | undefined): number {
    const wanted = this.#options.captures.failures().flatMap((failure) => workload(failure.workload.id) ?? []);
    this.#writeWorkloads(wanted);
    return wanted.filter(({ workload: { id } }) => this.#options.captures.get(id) !== undefined).length;
  }

  // Rows come first without a binding: the other pods' connections go through the node proxy, which proves who they are,
  // before the pod asks for that. One that an earlier agent captured has its row, and is reached directly meanwhile.
  #writeWorkloads(upserted: readonly GuardedWorkload[], leaving?: ReadonlySet<number>): void {
    const { datapath, captures } = this.#options;
    const rows = (guarded: GuardedWorkload) => workloadRows(guarded, captures.get(guarded.workload.id));
    const adopted = new Set(upserted.filter(({ workload }) => captures.isAdopted(workload.id)));
    datapath.upsertWorkloads(upserted.filter((guarded) => !adopted.has(guarded)).flatMap(rows));
    const captured = upserted.filter(
      ({ workload }) => workload.local && workload.captured && captures.capture(workload, leaving),
    );
    datapath.upsertWorkloads([...new Set([...captured, ...adopted])].flatMap(rows));
    for (const { workload } of upserted) if (!workload.captured) captures.release(workload.id, false);
  }

  #writeServices(upserted: readonly Service[]): void {
    const { datapath } = this.#options;
    datapath.upsertServices(upserted.flatMap(serviceRows));
    datapath.upsertWorkloads(upserted.flatMap(serviceAddressRows));
  }

  #dropWorkloads({ previous, next, workloads, services }: SnapshotChange): void {
    for (const { workload } of workloads.removed) this.#options.captures.release(workload.id, true);
    const before = [
      ...workloads.removed.map(({ workload }) => workload),
      ...workloads.upserted.flatMap(({ workload }) => previous.workloads.get(workload.id)?.workload ?? []),
    ].flatMap(({ addresses }) => addresses);
    const serviceBefore = [
      ...services.removed,
      ...services.upserted.flatMap(({ id }) => previous.services.get(id) ?? []),
    ].flatMap(({ addresses }) => addresses);
    if (before.length + serviceBefore.length === 0) return;
    const kept = new Set([
      ...workloads.upserted.flatMap(({ workload }) => workload.addresses.map(addressKey)),
      ...services.upserted.flatMap(({ addresses }) => addresses.map(addressKey)),
    ]);
    const gone = [...before, ...serviceBefore].filter((address) => !kept.has(addressKey(address)));
    this.#options.datapath.removeWorkloads(gone);
    this.#options.log.trace({ version: next.version, gone: gone.length }, "dropped addresses");
  }

  #dropServices({ previous, services }: SnapshotChange): void {
    const before = [...services.removed, ...services.upserted.flatMap(({ id }) => previous.services.get(id) ?? [])];
    const kept = new Set(services.upserted.flatMap(serviceRows).map(serviceKey));
    const gone = before.flatMap(serviceRows).filter((row) => !kept.has(serviceKey(row)));
    if (gone.length > 0) this.#options.datapath.removeServices(gone);
  }

  // What an earlier agent left and nobody wants now.
  #dropAdopted({ next }: SnapshotChange): void {
    const { datapath } = this.#options;
    const services = [...next.services.values()];
    const rows: WorkloadRow[] = [
      ...[...next.workloads.values()].flatMap((guarded) => workloadRows(guarded, undefined)),
      ...services.flatMap(serviceAddressRows),
    ];
    const wanted = new Set(rows.map(({ address }) => addressKey(address)));
    datapath.removeWorkloads(datapath.workloadAddresses().filter((address) => !wanted.has(addressKey(address))));
    const wantedServices = new Set(services.flatMap(serviceRows).map(serviceKey));
    datapath.removeServices(datapath.serviceKeys().filter((key) => !wantedServices.has(serviceKey(key))));
  }
}

const leavingIn = ({ workloads }: SnapshotChange): ReadonlySet<number> =>
  new Set(
    [...workloads.removed, ...workloads.upserted.filter(({ workload }) => !workload.captured)].map(
      ({ workload }) => workload.id,
    ),
  );

const serviceKey = ({ address, port }: { readonly address: Uint8Array; readonly port: number }): string =>
  `${addressKey(address)} ${port}`;
