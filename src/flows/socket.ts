/** What sock_diag says of a TCP socket in a captured namespace; src/native/datapath.ts answers with these. */
export interface SocketFigures {
  /** Socket cookie: the `connection` of its records. */
  readonly connection: bigint;
  readonly local: Uint8Array;
  readonly localPort: number;
  readonly remote: Uint8Array;
  readonly remotePort: number;
  readonly bytesAcked: number;
  readonly bytesReceived: number;
  readonly rttUs: number;
  readonly retransmits: number;
}
