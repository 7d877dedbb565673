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

/** What the connection has moved, for the client's socket or the server's. */
export function movedBytes(socket: SocketFigures, client: boolean): { toServer: number; toClient: number } {
  // The kernel counts the SYN of a client as a byte acknowledged.
  if (client) return { toServer: Math.max(0, socket.bytesAcked - 1), toClient: socket.bytesReceived };
  return { toServer: socket.bytesReceived, toClient: socket.bytesAcked };
}
