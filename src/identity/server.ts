// istio.v1.auth.IstioCertificateService over TLS. The server's own certificate is signed by the authority it serves, and is
// renewed in place: connections stay, and no listener is closed.
import { isIP, type Socket } from "node:net";
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
/** Nodes keep one connection each. */
const CONNECTIONS = 4_096;
const STREAMS = 64;
/** Milliseconds, both. */
const HANDSHAKE = 5_000;
const IDLE = 10 * 60_000;

export class CertificateServer {
  readonly #options: CertificateServerOptions;
  readonly #grpc: Server;
  readonly #tls: TlsServer;
  readonly #connections = new Set<Socket>();
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
    this.#tls.maxConnections = CONNECTIONS;
    // The handshake's own errors, too, are the caller's affair: his connection ends.
    this.#tls.on("connection", (socket: Socket) => this.#track(socket));
    this.#tls.on("secureConnection", (socket: TLSSocket) => {
      socket.on("error", () => socket.destroy());
      if (socket.alpnProtocol === "h2") injector.injectConnection(socket);
      else socket.destroy();
    });
    this.#tls.on("tlsClientError", () => {});
  }

  /** Throws ADDRESS_IN_USE, and AUTHORITY_UNUSABLE when it gets no certificate. */
  async listen(): Promise<void> {
    const { host, port } = this.#options.address;
    await this.upkeep();
    await new Promise<void>((resolve, reject) => {
      this.#tls.once("error", (error) =>
        reject(new WeirError("ADDRESS_IN_USE", { address: `${host}:${port}`, why: reasonOf(error) }, error)),
      );
      this.#tls.listen({ host, port }, resolve);
    });
    this.#tls.on("error", (error) =>
      this.#options.log.error({ why: reasonOf(error) }, "a connection was not accepted"),
    );
  }

  /** The port that is listened on, for a configured port of 0. */
  get port(): number {
    const address = this.#tls.address();
    return typeof address === "object" && address !== null ? address.port : 0;
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
    const closed = new Promise<void>((resolve) => this.#tls.close(() => resolve()));
    for (const connection of this.#connections) connection.destroy();
    this.#grpc.forceShutdown();
    await closed;
  }

  #track(socket: Socket): void {
    this.#connections.add(socket);
    socket.once("close", () => this.#connections.delete(socket));
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
