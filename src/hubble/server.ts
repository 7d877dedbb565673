// Where Hubble clients connect: a socket file, and an address where one is configured. gRPC is loaded by the first client, so
// that an agent nobody observes does not carry it in memory.
import { chmod, rm } from "node:fs/promises";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import type { Server } from "@grpc/grpc-js";
import { reasonOf, WeirError } from "../errors.ts";
import type { FlowPlace } from "../flows/facets.ts";
import type { FlowReaderSources } from "../flows/query.ts";

export interface HubbleServerOptions {
  readonly sources: FlowReaderSources;
  readonly place: FlowPlace;
  /** Path of the socket; only root may use it. */
  readonly socket: string;
  /** Also listens here, without encryption. */
  readonly address?: { readonly host: string; readonly port: number } | undefined;
  readonly version: string;
}

type Injector = ReturnType<Server["createConnectionInjector"]>;

export class HubbleServer {
  readonly #options: HubbleServerOptions;
  readonly #startedAt = Date.now();
  readonly #listeners: NetServer[] = [];
  readonly #connections = new Set<Socket>();
  #server: Promise<{ readonly server: Server; readonly injector: Injector }> | undefined;

  constructor(options: HubbleServerOptions) {
    this.#options = options;
  }

  /** Listens everywhere it should, or nowhere. Throws ADDRESS_IN_USE. */
  async listen(): Promise<void> {
    const { socket, address } = this.#options;
    await rm(socket, { force: true });
    try {
      await this.#listenOn({ path: socket }, socket);
      await chmod(socket, 0o600);
      if (address !== undefined) await this.#listenOn(address, `${address.host}:${address.port}`);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Ends listeners and streams at once. */
  async close(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    for (const connection of this.#connections) connection.destroy();
    (await this.#server)?.server.forceShutdown();
    await rm(this.#options.socket, { force: true });
  }

  #listenOn(where: object, address: string): Promise<void> {
    const listener = createServer((connection) => void this.#accept(connection));
    this.#listeners.push(listener);
    return new Promise((resolve, reject) => {
      listener.once("error", (error) =>
        reject(new WeirError("ADDRESS_IN_USE", { address, why: reasonOf(error) }, error)),
      );
      listener.listen(where, resolve);
    });
  }

  async #accept(connection: Socket): Promise<void> {
    this.#connections.add(connection);
    connection.on("error", () => connection.destroy());
    connection.once("close", () => this.#connections.delete(connection));
    try {
      this.#server ??= this.#load();
      (await this.#server).injector.injectConnection(connection);
    } catch {
      this.#server = undefined; // the next client tries again
      connection.destroy();
    }
  }

  async #load() {
    const { observerServer } = await import("./observer.ts");
    const { ServerCredentials } = await import("@grpc/grpc-js");
    const { socket, address, sources, place, version } = this.#options;
    const reachable = address === undefined ? `unix://${socket}` : `${address.host}:${address.port}`;
    const server = observerServer({ sources, place, version, address: reachable, startedAt: this.#startedAt });
    return { server, injector: server.createConnectionInjector(ServerCredentials.createInsecure()) };
  }
}
