// Judges live connections again after policy changed: those between two apps without the node proxy, which looks after
// its own. What is no longer allowed is destroyed at both ends; a socket in SYN-RECV alone would leave its client behind.

import type { Names } from "../mesh/names.ts";
import { isServerEnd, type Workload } from "../mesh/workload.ts";
import type { Datapath, Socket } from "../native/datapath.ts";
import { type Answer, type Connection, decodeAnswers, encodeQuestions } from "../policy/questions.ts";
import type { Capture } from "./captures.ts";
import { addressKey } from "./rows.ts";

/** A connection that policy no longer allows. */
export interface Revocation {
  readonly client: { readonly address: Uint8Array; readonly port: number; readonly workload: number };
  readonly server: { readonly address: Uint8Array; readonly port: number; readonly workload: number };
  /** Socket cookie of the end it was found at. */
  readonly connection: bigint;
  readonly answer: Answer;
}

export interface RecheckOptions {
  readonly datapath: Datapath;
  readonly authorize: (questions: Uint8Array) => Uint8Array;
  readonly names: Names;
  /** Whether a socket is its connection's server end, where records told; undefined where they did not. */
  readonly isServer: (connection: bigint) => boolean | undefined;
}

interface Found {
  readonly capture: Capture;
  readonly socket: Socket;
}

interface Candidate {
  readonly socket: Socket;
  readonly cookie: bigint;
  readonly connection: Connection;
  readonly clientPort: number;
}

/** enum action of bpf/abi.h. */
const ALLOW = 1;
const TCP_SYN_SENT = 2;
const TCP_SYN_RECV = 3;

/** Destroys the connections to `guarded` workloads (by id) that are not allowed now, and answers which. */
export function recheck(
  options: RecheckOptions,
  captures: readonly Capture[],
  guarded: ReadonlySet<number>,
): Revocation[] {
  const { datapath, authorize } = options;
  const found = dump(options, captures);
  const isServer = serverEnds(options, found);
  const candidates = found
    .flatMap((end) => candidatesOf(options, end.capture, end.socket, isServer(end)))
    .filter(({ connection }) => guarded.has(connection.destinationWorkload));
  if (candidates.length === 0) return [];
  const questions = encodeQuestions(candidates.map(({ connection }) => connection));
  const answers = decodeAnswers(authorize(questions)).answers;
  const revoked = candidates.flatMap((candidate, index) => {
    const answer = answers[index];
    return answer === undefined || answer.action === ALLOW ? [] : [{ ...candidate, answer }];
  });
  for (const [cookie, sockets] of byCookie(revoked)) datapath.destroySockets(cookie, sockets);
  return onePerConnection(revoked.map(revocationOf));
}

// Both ends of a connection on this node are found, each in its own namespace.
function candidatesOf(
  options: RecheckOptions,
  { workload: local, cookie }: Capture,
  socket: Socket,
  server: boolean,
): Candidate[] {
  const remote = options.names.workloadAt(socket.remote);
  const destination = server ? local : remote;
  if (destination === undefined) return [];
  const connection = server ? toLocal(socket, local, remote) : toRemote(socket, local, destination);
  return [{ socket, cookie, connection, clientPort: server ? socket.remotePort : socket.localPort }];
}

/** Sockets of captured pods with the pod they are in; what goes to itself, or is a leg of the node proxy, left out. */
const dump = (options: RecheckOptions, captures: readonly Capture[]): Found[] =>
  captures.flatMap((capture) =>
    options.datapath
      .sockets(capture.cookie)
      .filter((socket) => addressKey(socket.local) !== addressKey(socket.remote))
      .map((socket) => ({ capture, socket })),
  );

/** Tells a server's end: by what records told of this end or of the other one, else by its ports. */
function serverEnds(options: RecheckOptions, found: readonly Found[]): (found: Found) => boolean {
  const known = ({ socket }: Found) =>
    socket.state === TCP_SYN_SENT ? false : socket.state === TCP_SYN_RECV ? true : options.isServer(socket.connection);
  const clients = new Set(found.filter((end) => known(end) === false).map(({ socket }) => endsKey(socket, false)));
  return (end) => {
    const { socket, capture } = end;
    const { localPort, remote, remotePort } = socket;
    return (
      known(end) ??
      (clients.has(endsKey(socket, true)) ||
        isServerEnd(capture.workload, localPort, options.names.workloadAt(remote), remotePort))
    );
  };
}

function endsKey({ local, localPort, remote, remotePort }: Socket, reversed: boolean): string {
  const [here, there] = [`${addressKey(local)} ${localPort}`, `${addressKey(remote)} ${remotePort}`];
  return reversed ? `${there} ${here}` : `${here} ${there}`;
}

const toLocal = (socket: Socket, local: Workload, remote: Workload | undefined): Connection => ({
  // Only a captured pod of this node is proved; any other address is just an address.
  sourceWorkload: remote?.local && remote.captured ? remote.id : 0,
  source: socket.remote,
  destinationWorkload: local.id,
  destination: socket.local,
  port: socket.localPort,
});

const toRemote = (socket: Socket, local: Workload, remote: Workload): Connection => ({
  sourceWorkload: local.id,
  source: socket.local,
  destinationWorkload: remote.id,
  destination: socket.remote,
  port: socket.remotePort,
});

function byCookie(candidates: readonly Candidate[]): Map<bigint, Socket[]> {
  const grouped = Map.groupBy(candidates, ({ cookie }) => cookie);
  return new Map([...grouped].map(([cookie, group]) => [cookie, group.map(({ socket }) => socket)]));
}

function onePerConnection(revocations: readonly Revocation[]): Revocation[] {
  const ends = ({ client, server }: Revocation) =>
    `${addressKey(client.address)} ${client.port} ${addressKey(server.address)} ${server.port}`;
  return [...new Map(revocations.map((revocation) => [ends(revocation), revocation])).values()];
}

function revocationOf(revoked: Candidate & { readonly answer: Answer }): Revocation {
  const { socket, connection, clientPort, answer } = revoked;
  const { sourceWorkload, destinationWorkload, source, destination, port } = connection;
  return {
    client: { address: source, port: clientPort, workload: sourceWorkload },
    server: { address: destination, port, workload: destinationWorkload },
    connection: socket.connection,
    answer,
  };
}
