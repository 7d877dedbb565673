// Hubble's Observer and the gRPC health service over the flow ring.
import { once } from "node:events";
import {
  Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type StatusObject,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { loadSync, type PackageDefinition, type ServiceDefinition } from "@grpc/proto-loader";
import { reasonOf, WeirError } from "../errors.ts";
import type { FlowPlace } from "../flows/facets.ts";
import { type FlowReaderSources, readFlows } from "../flows/query.ts";
import { responseOf } from "./message.ts";
import { type GetFlowsRequest, queryOf } from "./request.ts";
import { namespacesSeen, nodes, serverStatus } from "./server-status.ts";

export interface ObserverSources {
  readonly sources: FlowReaderSources;
  readonly place: FlowPlace;
  readonly version: string;
  /** Where clients reach this server, as GetNodes names it. */
  readonly address: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

/** Services a client may ask the health of. */
const healthy: ReadonlySet<string> = new Set(["", "hubble.server.Observer", "observer.Observer"]);

/** A gRPC server that listens nowhere: server.ts hands connections to it. */
export function observerServer(options: ObserverSources): Server {
  const definitions = loadDefinitions();
  const server = new Server({ "grpc.max_concurrent_streams": 100 });
  server.addService(definitions["observer.Observer"] as ServiceDefinition, {
    GetFlows: (call: ServerWritableStream<GetFlowsRequest, object>) => void streamFlows(call, options),
    ServerStatus: unary(() => serverStatus(options)),
    GetNodes: unary(() => ({ nodes: nodes(options) })),
    GetNamespaces: unary(() => ({ namespaces: namespacesSeen(options) })),
  });
  server.addService(definitions["grpc.health.v1.Health"] as ServiceDefinition, {
    Check: unary(({ service = "" }: { service?: string }) => {
      if (!healthy.has(service)) throw { code: status.NOT_FOUND, details: `there is no service "${service}"` };
      return { status: "SERVING" };
    }),
  });
  return server;
}

function loadDefinitions(): PackageDefinition {
  const directory = new URL("../../proto/hubble", import.meta.url).pathname;
  return loadSync(["observer.proto", "health.proto"], {
    includeDirs: [directory],
    keepCase: true,
    longs: Number,
    enums: String,
  });
}

const unary =
  <Request>(answer: (request: Request) => object) =>
  (call: ServerUnaryCall<Request, object>, callback: sendUnaryData<object>): void => {
    try {
      callback(null, answer(call.request));
    } catch (error) {
      callback(statusOf(error));
    }
  };

async function streamFlows(
  call: ServerWritableStream<GetFlowsRequest, object>,
  options: ObserverSources,
): Promise<void> {
  const { sources, place } = options;
  const stop = new AbortController();
  call.once("cancelled", () => stop.abort());
  call.once("close", () => stop.abort());
  try {
    const query = queryOf(call.request, place);
    for await (const event of readFlows(sources, query, stop.signal)) {
      const more = call.write(responseOf(event, sources.node, place, sources.ring.nowUs()));
      // The client sets the pace: nothing is read from the ring while it has not taken what was sent.
      if (!more) await once(call, "drain", { signal: stop.signal });
    }
    call.end();
  } catch (error) {
    if (!stop.signal.aborted) call.emit("error", statusOf(error));
  }
}

function statusOf(error: unknown): Partial<StatusObject> {
  if (error instanceof WeirError && error.code === "QUERY_INVALID")
    return { code: status.INVALID_ARGUMENT, details: error.message };
  const { code = status.INTERNAL, details = reasonOf(error) } = error as Partial<StatusObject>;
  return { code, details };
}
