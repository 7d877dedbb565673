// istio.v1.auth.IstioCertificateService over TLS. The server's own certificate is signed by the authority it serves, and is
// renewed in place: connections stay, and no listener is closed.
import { createServer as createListener, isIP, type Server as Listener, type Socket } from "node:net";
import { createServer, type TLSSocket, type Server as TlsServer } from "node:tls";
import { type handleUnaryCall, Server, ServerCredentials, type ServerUnaryCall, status } from "@grpc/grpc-js";
import { loadSync, type ServiceDefinition } from "@grpc/proto-loader";
import { reasonOf, WeirError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Authority } from "./authority.ts";
import type { CertificateRequest, Issuer } from "./issuer.ts";
import { generateKey } from "./key.ts";
import { Refusal, type RefusalReason } from "./refusal.ts";
import { PublicKey } from "./x509.ts";

export interface CertificateServerOptions {
  readonly issuer: Issuer;
  readonly authority: Authority;
  readonly address: { readonly host: string; readonly port: number };
  /** Host names and addresses by which clients call this server. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly log: Log;
}

/** A signing request has at most 16 KiB; with the rest of a message that is plenty. Bytes. */
const LARGEST_MESSAGE = 32 * 1024;
/** Nodes keep one connection each, and may share an address. */
const CONNECTIONS = 4_096;
const CONNECTIONS_PER_ADDRESS = 256;
const STREAMS = 64;
/** Milliseconds, both. */
const HANDSHAKE = 5_000;
const IDLE = 10 * 60_000;

export class CertificateServer {
  readonly #options: CertificateServerOptions;
  readonly #grpc: Server;
  readonly #tls: TlsServer;
  readonly #listener: Listener;
  readonly #connections = new Set<Socket>();
  readonly #byAddress = new Map<string, number>();
  readonly #refused = { limit: 0, address_limit: 0, handshake: 0 };
  #renewFrom = 0;

  constructor(options: CertificateServerOptions) {
    this.#options = options;
    this.#grpc = new Server({
      "grpc.max_receive_message_length": LARGEST_MESSAGE,
      "grpc.max_concurrent_streams": STREAMS,
      "grpc.max_connection_idle_ms": IDLE,
      "grpc-node.max_session_memory": 1,
    });
    this.#grpc.addService(serviceDefinition(), { CreateCertificate: this.#create });
    const injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#tls = createServer({ ALPNProtocols: ["h2"], minVersion: "TLSv1.2", handshakeTimeout: HANDSHAKE });
    this.#tls.on("secureConnection", (socket: TLSSocket) => {
      socket.on("error", () => socket.destroy());
      if (socket.alpnProtocol === "h2") injector.injectConnection(socket);
      else this.#turnAway(socket, "handshake");
    });
    // Node leaves it to us to end a connection whose handshake failed, or took too long.
    this.#tls.on("tlsClientError", (_, socket) => this.#turnAway(socket, "handshake"));
    this.#listener = createListener((socket) => this.#accept(socket));
    this.#listener.maxConnections = CONNECTIONS;
    this.#listener.on("drop", () => this.#refused.limit++);
  }

  /** Throws ADDRESS_IN_USE, and AUTHORITY_UNUSABLE when it gets no certificate. */
  async listen(): Promise<void> {
    const { host, port } = this.#options.address;
    await this.upkeep();
    await new Promise<void>((resolve, reject) => {
      this.#listener.once("error", (error) =>
        reject(new WeirError("ADDRESS_IN_USE", { address: `${host}:${port}`, why: reasonOf(error) }, error)),
      );
      this.#listener.listen({ host, port }, resolve);
    });
    this.#listener.on("error", (error) =>
      this.#options.log.error({ why: reasonOf(error) }, "a connection was not accepted"),
    );
  }

  /** The port that is listened on, for a configured port of 0. */
  get port(): number {
    const address = this.#listener.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Connections that were not served, by why. */
  get refused(): Readonly<Record<"limit" | "address_limit" | "handshake", number>> {
    return this.#refused;
  }

  /** Renews the server's certificate at half of its life. Throws AUTHORITY_UNUSABLE. */
  async upkeep(): Promise<void> {
    const { authority, names, now } = this.#options;
    if (now() < this.#renewFrom) return;
    const { key, publicKey } = generateKey();
    const subject = names.map((value) => ({ type: isIP(value) === 0 ? ("dns" as const) : ("ip" as const), value }));
    const { chain, notAfter } = await authority.signServer(await PublicKey.create(publicKey), subject);
    this.#tls.setSecureContext({ key: key.pem, cert: chain.slice(0, -1).join(""), minVersion: "TLSv1.2" });
    this.#renewFrom = now() + (notAfter.getTime() - now()) / 2;
  }

  /** Ends connections at once; callers come back. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    for (const connection of this.#connections) connection.destroy();
    this.#grpc.forceShutdown();
    await closed;
  }

  #accept(socket: Socket): void {
    const address = socket.remoteAddress ?? "";
    const others = this.#byAddress.get(address) ?? 0;
    if (others >= CONNECTIONS_PER_ADDRESS) {
      this.#turnAway(socket, "address_limit");
      return;
    }
    this.#connections.add(socket);
    this.#byAddress.set(address, others + 1);
    socket.once("close", () => this.#forget(socket, address));
    this.#tls.emit("connection", socket);
  }

  #forget(socket: Socket, address: string): void {
    this.#connections.delete(socket);
    const rest = (this.#byAddress.get(address) ?? 1) - 1;
    if (rest === 0) this.#byAddress.delete(address);
    else this.#byAddress.set(address, rest);
  }

  #turnAway(socket: Socket, why: keyof CertificateServer["refused"]): void {
    this.#refused[why]++;
    socket.destroy();
  }

  readonly #create: handleUnaryCall<WireRequest, object> = (call, callback) => {
    this.#options.issuer.issue(requestOf(call)).then(
      (chain) => callback(null, { cert_chain: chain }),
      (error: unknown) => callback(statusOf(error)),
    );
  };
}

interface WireRequest {
  readonly csr: string;
  readonly validity_duration: number;
  readonly metadata?: { readonly fields?: Readonly<Record<string, { readonly stringValue?: string }>> } | null;
}

function requestOf(call: ServerUnaryCall<WireRequest, object>): CertificateRequest {
  const { csr, validity_duration: ttl, metadata } = call.request;
  const text = (name: string) => metadata?.fields?.[name]?.stringValue || undefined;
  const [authorization] = call.metadata.get("authorization");
  const token = /^Bearer (\S+)$/i.exec(String(authorization ?? ""))?.[1];
  return { peer: call.getPeer(), token, csr, ttl, identity: text("ImpersonatedIdentity"), podUid: text("WeirPodUID") };
}

function statusOf(error: unknown): { code: status; details: string } {
  if (!(error instanceof Refusal)) return { code: status.INTERNAL, details: "the request could not be handled" };
  return { code: statusByReason[error.reason], details: error.message };
}

const statusByReason: Readonly<Record<RefusalReason, status>> = {
  unauthenticated: status.UNAUTHENTICATED,
  token_expired: status.UNAUTHENTICATED,
  csr_malformed: status.INVALID_ARGUMENT,
  key_unacceptable: status.INVALID_ARGUMENT,
  ttl_unacceptable: status.INVALID_ARGUMENT,
  identity_missing: status.INVALID_ARGUMENT,
  identity_malformed: status.INVALID_ARGUMENT,
  uid_missing: status.INVALID_ARGUMENT,
  uid_ambiguous: status.PERMISSION_DENIED,
  pod_unknown: status.PERMISSION_DENIED,
  wrong_node: status.PERMISSION_DENIED,
  not_captured: status.PERMISSION_DENIED,
  wrong_identity: status.PERMISSION_DENIED,
  rate: status.RESOURCE_EXHAUSTED,
  busy: status.RESOURCE_EXHAUSTED,
  authority_unusable: status.UNAVAILABLE,
};

function serviceDefinition(): ServiceDefinition {
  const includeDirs = [new URL("../../proto", import.meta.url).pathname];
  const loaded = loadSync("istio/ca.proto", { includeDirs, keepCase: true, longs: Number, defaults: true });
  return loaded["istio.v1.auth.IstioCertificateService"] as ServiceDefinition;
}
