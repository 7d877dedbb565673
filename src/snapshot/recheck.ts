// Judges live connections again after policy changed: those between two apps without the node proxy, which looks after
// its own. What is no longer allowed is destroyed at both ends; a socket in SYN-RECV alone would leave its client behind.

import type { Names } from "../mesh/names.ts";
import { isServerEnd, type Workload } from "../mesh/workload.ts";
import type { Socket } from "../native/datapath.ts";
import { type Answer, type Connection, decodeAnswers, encodeQuestions } from "../policy/questions.ts";
import type { Capture, Captures } from "./captures.ts";
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
  readonly captures: Captures;
  readonly authorize: (questions: Uint8Array) => Uint8Array;
  readonly names: Names;
  /** Whether a socket is its connection's server end, where records told; undefined where they did not. */
  readonly isServer: (connection: bigint) => boolean | undefined;
}

/** What a change means for live connections. */
export interface Concern {
  /** Ids of workloads whose policy changed: connections to them are judged again. */
  readonly guarded: ReadonlySet<number>;
  /** Addresses that captured pods no longer have, as keys: what is left of connections with them ends, whoever is next. */
  readonly departed: ReadonlySet<string>;
}

interface Found {
  readonly capture: Capture;
  readonly socket: Socket;
}

interface Candidate {
  readonly capture: Capture;
  readonly socket: Socket;
  readonly connection: Connection;
  readonly clientPort: number;
}

/** enum action of bpf/abi.h. */
const ALLOW = 1;
const TCP_SYN_SENT = 2;
const TCP_SYN_RECV = 3;

/** Destroys the connections that are not allowed now, and answers which policy ended. */
export function recheck(options: RecheckOptions, { guarded, departed }: Concern): Revocation[] {
  const { authorize } = options;
  const all = dump(options);
  const [left, found] = partition(all, ({ socket }) => departed.has(addressKey(socket.remote)));
  destroy(options, left);
  const isServer = serverEnds(options, found);
  const candidates = found
    .flatMap((end) => candidatesOf(options, end, isServer(end)))
    .filter(({ connection }) => guarded.has(connection.destinationWorkload));
  if (candidates.length === 0) return [];
  const questions = encodeQuestions(candidates.map(({ connection }) => connection));
  const answers = decodeAnswers(authorize(questions)).answers;
  const revoked = candidates.flatMap((candidate, index) => {
    const answer = answers[index];
    return answer === undefined || answer.action === ALLOW ? [] : [{ ...candidate, answer }];
  });
  destroy(options, revoked);
  return onePerConnection(revoked.map(revocationOf));
}

// Both ends of a connection on this node are found, each in its own namespace.
function candidatesOf(options: RecheckOptions, { capture, socket }: Found, server: boolean): Candidate[] {
  const local = capture.workload;
  const remote = options.names.workloadAt(socket.remote);
  const destination = server ? local : remote;
  if (destination === undefined) return [];
  const connection = server ? toLocal(socket, local, remote) : toRemote(socket, local, destination);
  return [{ capture, socket, connection, clientPort: server ? socket.remotePort : socket.localPort }];
}

/** Sockets of captured pods with the pod they are in; what goes to itself, or is a leg of the node proxy, left out. */
const dump = ({ captures }: RecheckOptions): Found[] =>
  [...captures.all()].flatMap((capture) =>
    captures
      .sockets(capture)
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

function destroy({ captures }: RecheckOptions, ends: readonly Found[]): void {
  const grouped = Map.groupBy(ends, ({ capture }) => capture);
  for (const [capture, group] of grouped)
    captures.destroy(
      capture,
      group.map(({ socket }) => socket),
    );
}

function partition<Value>(values: readonly Value[], first: (value: Value) => boolean): [Value[], Value[]] {
  const { true: yes = [], false: no = [] } = Object.groupBy(values, (value) => `${first(value)}` as "true" | "false");
  return [yes, no];
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
