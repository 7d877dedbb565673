// Talks to an agent's admin socket, and to nothing else.
import { globSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { reasonOf, WeirError } from "../errors.ts";
import type { Terminal } from "./terminal.ts";

/** Fields that are undefined are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** What the agent answered when it was not a success, as it said it. */
export class AnsweredError extends Error {
  readonly code: string;
  readonly next: string;

  constructor(body: { readonly code?: string; readonly message?: string; readonly next?: string }) {
    super(body.message ?? "the agent gave no reason");
    this.code = body.code ?? "INTERNAL";
    this.next = body.next ?? "";
  }
}

export class AdminClient {
  readonly socket: string;
  readonly #signal: AbortSignal;

  constructor(socket: string, signal: AbortSignal) {
    this.socket = socket;
    this.#signal = signal;
  }

  /** A JSON answer. */
  async get<Value>(path: string, query: Query = {}): Promise<Value> {
    const response = await this.#request(path, query);
    return JSON.parse(await textOf(response)) as Value;
  }

  /** An answer of JSON lines, as they come. Ends quietly when the signal is aborted. */
  async *lines<Value>(path: string, query: Query = {}): AsyncGenerator<Value, void, undefined> {
    try {
      const response = await this.#request(path, query);
      for await (const line of createInterface({ input: response })) if (line !== "") yield JSON.parse(line) as Value;
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    }
  }

  async #request(path: string, query: Query): Promise<IncomingMessage> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)]));
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const options = { socketPath: this.socket, path: `${path}?${search}`, signal: this.#signal };
      request(options, resolve).once("error", reject).end();
    }).catch((error) => {
      if (this.#signal.aborted) throw error;
      throw new WeirError("AGENT_UNREACHABLE", { socket: this.socket, why: connectionFault(error) }, error);
    });
    if (response.statusCode === 200) return response;
    throw new AnsweredError(JSON.parse(await textOf(response)));
  }
}

/** The agent at --server, or the only one on this machine. */
export async function findAgent(server: string | undefined, terminal: Terminal): Promise<AdminClient> {
  const signal = AbortSignal.any([terminal.signal, terminal.unread]);
  return new AdminClient(server ?? (await onlySocket(terminal.runDirectory)), signal);
}

/** Whether somebody accepts connections on a socket file. */
export function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket, () => {
      connection.destroy();
      resolve(true);
    });
    connection.once("error", () => resolve(false));
  });
}

async function onlySocket(runDirectory: string): Promise<string> {
  const pattern = `${runDirectory}/*/admin.sock`;
  const sockets = globSync(pattern).sort();
  const alive = await Promise.all(sockets.map(answers));
  const [first, ...others] = sockets.filter((_, index) => alive[index]);
  if (first === undefined) {
    const why = sockets.length === 0 ? "there is no such socket" : "it is not running";
    throw new WeirError("AGENT_UNREACHABLE", { socket: sockets[0] ?? pattern, why });
  }
  if (others.length > 0) {
    const why = `several agents run on this machine; choose one with --server: ${[first, ...others].join(", ")}`;
    throw new WeirError("QUERY_INVALID", { why });
  }
  return first;
}

function connectionFault(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT") return "there is no such socket";
  if (error.code === "ECONNREFUSED") return "it is not running";
  if (error.code === "EACCES") return "you may not use it; only root may";
  return reasonOf(error);
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  return text;
}
