// The only listen() of the admin interface: its socket, and the metrics address. Fastify is loaded by the first request to the
// socket, so that an agent nobody asks does not carry it in memory.
import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { connect } from "node:net";
import type { FastifyInstance } from "fastify";
import { reasonOf, WeirError } from "../errors.ts";
import { scrape } from "./scrape.ts";
import type { AdminSources, ScrapeSources } from "./sources.ts";

export interface AdminListenerOptions {
  readonly sources: AdminSources & ScrapeSources;
  /** Path of the admin socket; only root may use it. */
  readonly socket: string;
  /** Where /metrics and /healthz are served. */
  readonly metrics: { readonly host: string; readonly port: number };
}

export class AdminServer {
  readonly #options: AdminListenerOptions;
  readonly #admin: Server;
  readonly #metrics: Server;
  #app: Promise<FastifyInstance> | undefined;

  constructor(options: AdminListenerOptions) {
    this.#options = options;
    this.#admin = createServer((request, response) => void this.#answer(request, response));
    this.#metrics = createServer(scrape(options.sources) as RequestListener);
  }

  /** Listens on both, or on none. Throws ADDRESS_IN_USE, or AGENT_RUNNING when another agent has the socket. */
  async listen(): Promise<void> {
    const { socket, metrics, sources } = this.#options;
    if (await answers(socket)) {
      const { node } = sources.flows;
      throw new WeirError("AGENT_RUNNING", { node, directory: socket.replace(/\/[^/]*$/, "") });
    }
    await rm(socket, { force: true });
    await listening(this.#metrics, `${metrics.host}:${metrics.port}`, metrics);
    try {
      await privately(() => listening(this.#admin, socket, { path: socket }));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** The port metrics are served on, for a configured port of 0. */
  get metricsPort(): number {
    const address = this.#metrics.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Ends listeners and streams at once. */
  async close(): Promise<void> {
    for (const server of [this.#admin, this.#metrics]) {
      server.close();
      server.closeAllConnections();
    }
    await (await this.#app)?.close();
    await rm(this.#options.socket, { force: true });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#app ??= build(this.#options.sources);
    try {
      (await this.#app).routing(request, response);
    } catch {
      this.#app = undefined; // the next request tries again
      response.writeHead(500).end();
    }
  }
}

async function build(sources: AdminSources): Promise<FastifyInstance> {
  const { buildAdminApp } = await import("./app.ts");
  const app = buildAdminApp(sources);
  await app.ready();
  return app;
}

// The socket file is made while listen() is called, and must never be open to others, not even for a moment.
function privately(listen: () => Promise<void>): Promise<void> {
  const mask = process.umask(0o177);
  try {
    return listen();
  } finally {
    process.umask(mask);
  }
}

function listening(server: Server, address: string, where: object): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(new WeirError("ADDRESS_IN_USE", { address, why: reasonOf(error) }, error));
    server.once("error", fail);
    server.listen(where, () => {
      server.off("error", fail);
      resolve();
    });
  });
}

// A socket file of an agent that died stays behind; one that somebody answers on does not.
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.once("error", () => resolve(false));
  });
}
