// Connections of the kernel paths that are open now, so that long ones can report their growth: kernel records tell of a
// connection's beginning and end only, and sock_diag tells what its sockets have moved meanwhile.

import { End, Kind, kindAt, longAt, Path, RECORD_LAYOUT, RECORD_SIZE } from "./record.ts";
import { movedBytes, type SocketFigures } from "./socket.ts";

/** A connection that was open before this agent knew of it. */
export interface Adoption {
  readonly socket: SocketFigures;
  /** A row as the OPEN record of the connection would have been. */
  readonly row: Buffer;
}

export interface LiveOptions {
  /** Connections remembered. Default 65,536; one more is counted in `overflowed` and gets no updates. */
  readonly capacity?: number;
}

/** A socket missing from this many dumps in a row is gone, and its close record lost. */
const MISSED_DUMPS = 2;

export class LiveConnections {
  readonly #capacity: number;
  readonly #rows: Buffer;
  readonly #missed: Uint8Array;
  readonly #slots = new Map<number, number>();
  readonly #free: number[] = [];
  #used = 0;
  #overflowed = 0;
  #closesLost = 0;

  constructor(options: LiveOptions = {}) {
    this.#capacity = options.capacity ?? 65_536;
    this.#rows = Buffer.alloc(this.#capacity * RECORD_SIZE);
    this.#missed = new Uint8Array(this.#capacity);
  }

  get size(): number {
    return this.#slots.size;
  }

  /** Connections that found no room. */
  get overflowed(): number {
    return this.#overflowed;
  }

  /** Connections whose end was noticed by their absence only. */
  get closesLost(): number {
    return this.#closesLost;
  }

  /** Whether a connection's socket is its server's end; undefined for one that is not remembered. */
  isServer(connection: bigint): boolean | undefined {
    const slot = this.#slots.get(Number(connection));
    return slot === undefined ? undefined : this.#rows[slot * RECORD_SIZE + END] === End.destination;
  }

  /** Follows rows as they arrive: OPEN adds, CLOSE removes. Rows of proxied connections are the node proxy's to update. */
  record(batch: Buffer): void {
    for (let row = 0; row + RECORD_SIZE <= batch.length; row += RECORD_SIZE) {
      const kind = kindAt(batch, row);
      if (kind === Kind.open) {
        if (batch[row + PATH] !== Path.proxied) this.#add(batch, row);
      } else if (kind === Kind.close) this.#remove(longAt(batch, row + CONNECTION));
    }
  }

  /** Remembers connections that are older than this agent. Their rows count nothing that was moved before. */
  adopt(adoptions: readonly Adoption[]): Buffer {
    for (const { socket, row } of adoptions) {
      this.#add(row, 0);
      const slot = this.#slots.get(Number(socket.connection));
      if (slot !== undefined) this.#measure(slot * RECORD_SIZE, socket);
    }
    return Buffer.concat(adoptions.map(({ row }) => row));
  }

  /**
   * Compares with a dump of all captured namespaces, about every 10 s. Answers UPDATE rows for connections that moved bytes
   * since, and CLOSE rows for those that ended without a record. `nowNs` is CLOCK_MONOTONIC.
   */
  update(sockets: readonly SocketFigures[], nowNs: number): Buffer {
    const out: Buffer[] = [];
    for (const slot of this.#slots.values()) this.#missed[slot]!++;
    for (const socket of sockets) {
      const slot = this.#slots.get(Number(socket.connection));
      if (slot === undefined) continue;
      this.#missed[slot] = 0;
      if (this.#measure(slot * RECORD_SIZE, socket)) out.push(this.#report(slot, Kind.update, nowNs));
    }
    for (const [connection, slot] of this.#slots) {
      if (this.#missed[slot]! <= MISSED_DUMPS) continue;
      out.push(this.#report(slot, Kind.close, nowNs));
      this.#closesLost++;
      this.#remove(connection);
    }
    return Buffer.concat(out);
  }

  #add(batch: Buffer, row: number): void {
    const connection = longAt(batch, row + CONNECTION);
    let slot = this.#slots.get(connection);
    if (slot === undefined) {
      slot = this.#free.pop() ?? (this.#used < this.#capacity ? this.#used++ : undefined);
      if (slot === undefined) {
        this.#overflowed++;
        return;
      }
      this.#slots.set(connection, slot);
    }
    batch.copy(this.#rows, slot * RECORD_SIZE, row, row + RECORD_SIZE);
    this.#missed[slot] = 0;
  }

  #remove(connection: number): void {
    const slot = this.#slots.get(connection);
    if (slot === undefined) return;
    this.#slots.delete(connection);
    this.#free.push(slot);
  }

  // Puts the socket's figures into the kept row; answers whether it moved bytes since the last time.
  #measure(row: number, socket: SocketFigures): boolean {
    const { toServer, toClient } = movedBytes(socket, this.#rows[row + END] === End.source);
    const grew = longAt(this.#rows, row + TO_SERVER) !== toServer || longAt(this.#rows, row + TO_CLIENT) !== toClient;
    writeLong(this.#rows, row + TO_SERVER, toServer);
    writeLong(this.#rows, row + TO_CLIENT, toClient);
    this.#rows.writeUInt32LE(socket.rttUs >>> 0, row + RTT);
    this.#rows.writeUInt32LE(socket.retransmits >>> 0, row + RETRANSMITS);
    return grew;
  }

  // The kept row keeps the time the connection opened; the copy gets the time of the report.
  #report(slot: number, kind: number, nowNs: number): Buffer {
    const row = Buffer.from(this.#rows.subarray(slot * RECORD_SIZE, (slot + 1) * RECORD_SIZE));
    writeLong(row, DURATION, Math.max(0, nowNs - longAt(row, TIME)));
    writeLong(row, TIME, nowNs);
    row[KIND] = kind;
    return row;
  }
}

const writeLong = (rows: Buffer, position: number, value: number): void => {
  rows.writeUInt32LE(value % 0x1_0000_0000, position);
  rows.writeUInt32LE(Math.floor(value / 0x1_0000_0000), position + 4);
};

const TIME = RECORD_LAYOUT.time_ns.offset;
const CONNECTION = RECORD_LAYOUT.connection.offset;
const DURATION = RECORD_LAYOUT.duration_ns.offset;
const TO_SERVER = RECORD_LAYOUT.bytes_to_server.offset;
const TO_CLIENT = RECORD_LAYOUT.bytes_to_client.offset;
const KIND = RECORD_LAYOUT.kind.offset;
const END = RECORD_LAYOUT.end.offset;
const PATH = RECORD_LAYOUT.path.offset;
const RTT = RECORD_LAYOUT.rtt_us.offset;
const RETRANSMITS = RECORD_LAYOUT.retransmits.offset;
