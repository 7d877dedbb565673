// Istio's standard TCP series out of raw rows. Rows are counted by the ids they carry; names are looked up once for each new
// combination of ids.
import {
  End,
  isDenied,
  Kind,
  kindAt,
  longAt,
  RECORD_LAYOUT,
  RECORD_SIZE,
  RecordFlag,
  wordAt,
} from "../flows/record.ts";
import type { Names } from "../mesh/names.ts";
import { type TrafficSeries, trafficCatalogue } from "./catalogue.ts";
import { header, sample } from "./exposition.ts";
import {
  overflowLabels,
  type ResponseFlags,
  type TrafficFacts,
  type TrafficPlace,
  trafficLabelText,
} from "./labels.ts";

export interface TrafficMetricsOptions {
  readonly names: Names;
  readonly place: TrafficPlace;
  /** Series exposed at most. Default 10,000. */
  readonly maxSeries?: number;
}

interface Counts {
  readonly labels: string;
  readonly overflow: boolean;
  opened: number;
  closed: number;
  sent: number;
  received: number;
}

/** Combinations of ids, and growing connections, remembered at most. */
const REMEMBERED = 65_536;
const FAMILIES = Object.keys(trafficCatalogue).length;
/** Label sets kept back for what does not fit: two reporters, three response flags. */
const OVERFLOW_SETS = 6;

export class TrafficMetrics {
  readonly #names: Names;
  readonly #place: TrafficPlace;
  readonly #maxSets: number;
  readonly #sets = new Map<string, Counts>();
  /** By source and destination id, then by the other facts. Only a cache in front of the label sets. */
  #byIds = new Map<number, Map<number, Map<number, Counts>>>();
  #remembered = 0;
  /** What growing connections had moved when they last reported. */
  readonly #totals = new Map<number, { toServer: number; toClient: number }>();
  #ownSets = 0;
  #overflowed = 0;
  #skipped = 0;

  constructor(options: TrafficMetricsOptions) {
    this.#names = options.names;
    this.#place = options.place;
    this.#maxSets = Math.max(OVERFLOW_SETS, Math.floor((options.maxSeries ?? 10_000) / FAMILIES)) - OVERFLOW_SETS;
  }

  /** Counts whole rows. */
  record(batch: Buffer): void {
    for (let row = 0; row + RECORD_SIZE <= batch.length; row += RECORD_SIZE) this.#recordRow(batch, row);
  }

  /** Takes totals as the start of counting, for connections that are older than this agent. */
  adopt(batch: Buffer): void {
    for (let row = 0; row + RECORD_SIZE <= batch.length; row += RECORD_SIZE) this.#remember(batch, row);
  }

  get labelSets(): number {
    return this.#sets.size;
  }

  /** Rows counted under the overflow labels. */
  get overflowed(): number {
    return this.#overflowed;
  }

  /** Growth reports that wait for their connection's end because too many connections grow. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Prometheus text. */
  render(): string {
    const lines: string[] = [];
    for (const [name, value] of Object.entries(families) as [TrafficSeries, (counts: Counts) => number][]) {
      lines.push(header(name, trafficCatalogue[name]));
      for (const counts of this.#sets.values()) lines.push(sample(name, counts.labels, value(counts)));
    }
    return lines.join("");
  }

  #recordRow(batch: Buffer, row: number): void {
    const kind = kindAt(batch, row);
    const failed = (batch[row + FLAGS]! & RecordFlag.failed) !== 0;
    if (kind === Kind.deny && wordAt(batch, row + REASON) === REVOKED) return; // its OPEN and CLOSE are counted
    if (kind === Kind.deny || (failed && isDenied(batch, row))) {
      const counts = this.#counts(batch, row, "DENY");
      counts.opened++;
      counts.closed++;
    } else if (kind === Kind.open) {
      this.#counts(batch, row, "-").opened++;
    } else if (kind === Kind.update) {
      this.#grow(batch, row);
    } else if (kind === Kind.close) {
      const counts = this.#counts(batch, row, failed ? "CONNECT" : "-");
      if (failed) counts.opened++; // a connection that was never established has no OPEN record
      counts.closed++;
      this.#count(counts, batch, row);
      this.#totals.delete(longAt(batch, row + CONNECTION));
    }
  }

  #grow(batch: Buffer, row: number): void {
    if (this.#totals.size >= REMEMBERED && !this.#totals.has(longAt(batch, row + CONNECTION))) {
      this.#skipped++;
      return;
    }
    this.#count(this.#counts(batch, row, "-"), batch, row);
    this.#remember(batch, row);
  }

  #remember(batch: Buffer, row: number): void {
    if (this.#totals.size >= REMEMBERED) return;
    const toServer = longAt(batch, row + TO_SERVER);
    this.#totals.set(longAt(batch, row + CONNECTION), { toServer, toClient: longAt(batch, row + TO_CLIENT) });
  }

  // Rows carry totals; what an earlier row of the connection said is counted already.
  #count(counts: Counts, batch: Buffer, row: number): void {
    const counted = this.#totals.size === 0 ? undefined : this.#totals.get(longAt(batch, row + CONNECTION));
    counts.received += Math.max(0, longAt(batch, row + TO_SERVER) - (counted?.toServer ?? 0));
    counts.sent += Math.max(0, longAt(batch, row + TO_CLIENT) - (counted?.toClient ?? 0));
  }

  #counts(batch: Buffer, row: number, flags: ResponseFlags): Counts {
    const proved = wordAt(batch, row + SOURCE_WORKLOAD);
    const source = proved !== 0 ? proved : this.#sourceAt(batch, row);
    const destination = wordAt(batch, row + DESTINATION_WORKLOAD);
    const service = wordAt(batch, row + SERVICE);
    const server = batch[row + END] === End.destination;
    const rest = service * 16 + flagCodes[flags] * 4 + (server ? 2 : 0) + (proved !== 0 ? 1 : 0);
    const known = this.#byIds.get(source)?.get(destination)?.get(rest);
    if (known !== undefined) {
      if (known.overflow) this.#overflowed++;
      return known;
    }
    const reporter = server ? "destination" : "source";
    return this.#name({ reporter, source, proved: proved !== 0, destination, service, flags }, rest);
  }

  #sourceAt(batch: Buffer, row: number): number {
    return this.#names.workloadAt(batch.subarray(row + SOURCE, row + SOURCE + 16))?.id ?? 0;
  }

  #name(facts: TrafficFacts, rest: number): Counts {
    const counts = this.#set(facts);
    if (this.#remembered++ >= REMEMBERED) {
      this.#byIds = new Map();
      this.#remembered = 1;
    }
    const bySource = this.#byIds.get(facts.source) ?? new Map<number, Map<number, Counts>>();
    const byDestination = bySource.get(facts.destination) ?? new Map<number, Counts>();
    this.#byIds.set(facts.source, bySource.set(facts.destination, byDestination.set(rest, counts)));
    return counts;
  }

  #set(facts: TrafficFacts): Counts {
    const labels = trafficLabelText(facts, this.#names, this.#place);
    const known = this.#sets.get(labels);
    if (known !== undefined) return known;
    if (this.#ownSets++ < this.#maxSets) return this.#open(labels, false);
    this.#ownSets = this.#maxSets;
    this.#overflowed++;
    const shared = overflowLabels(facts);
    return this.#sets.get(shared) ?? this.#open(shared, true);
  }

  #open(labels: string, overflow: boolean): Counts {
    const counts = { labels, overflow, opened: 0, closed: 0, sent: 0, received: 0 };
    this.#sets.set(labels, counts);
    return counts;
  }
}

/** enum reason of bpf/abi.h. */
const REVOKED = 14;

const families: Readonly<Record<TrafficSeries, (counts: Counts) => number>> = {
  istio_tcp_connections_opened_total: (counts) => counts.opened,
  istio_tcp_connections_closed_total: (counts) => counts.closed,
  istio_tcp_sent_bytes_total: (counts) => counts.sent,
  istio_tcp_received_bytes_total: (counts) => counts.received,
};

const flagCodes: Readonly<Record<ResponseFlags, number>> = { "-": 0, DENY: 1, CONNECT: 2 };

const CONNECTION = RECORD_LAYOUT.connection.offset;
const TO_SERVER = RECORD_LAYOUT.bytes_to_server.offset;
const TO_CLIENT = RECORD_LAYOUT.bytes_to_client.offset;
const SOURCE = RECORD_LAYOUT.source.offset;
const END = RECORD_LAYOUT.end.offset;
const FLAGS = RECORD_LAYOUT.flags.offset;
const REASON = RECORD_LAYOUT["verdict.reason"].offset;
const SOURCE_WORKLOAD = RECORD_LAYOUT.source_workload.offset;
const DESTINATION_WORKLOAD = RECORD_LAYOUT.destination_workload.offset;
const SERVICE = RECORD_LAYOUT.service.offset;
