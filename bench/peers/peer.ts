// Something that stands between the client and the server, or nothing.

/** Memory of a peer, in bytes. */
export interface Memory {
  /** Proportional set size of its processes. */
  readonly pss: number;
  /** Of it: allocated by Rust, where the peer tells. */
  readonly rust?: number;
}

export interface Peer {
  readonly name: string;
  /** How tables call it. */
  readonly title: string;
  /** Left out unless asked for by name. */
  readonly optional?: boolean;
  /** Gets what it needs. Throws a sentence when the peer cannot be had; it is then left out, and the report says why. */
  prepare(): Promise<void>;
  /** Version, for the report. */
  version(): Promise<string>;
  /** Comes up, to the point where a connection to `address` takes its path. */
  start(): Promise<void>;
  /** Goes away without a trace. */
  stop(): Promise<void>;
  /** What the client dials; ports are the servers'. */
  readonly address: string;
  /** Its processes while it runs. */
  readonly pids: readonly number[];
  /** Undefined where there is no process. */
  memory(): Promise<Memory | undefined>;
}
