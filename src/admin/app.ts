// The admin interface: a tree of Fastify plugins over what the agent gives. It listens nowhere by itself.
import Fastify, { type FastifyError, type FastifyInstance } from "fastify";
import { WeirError } from "../errors.ts";
import { flowRoutes } from "./routes/flows.ts";
import { meshRoutes } from "./routes/mesh.ts";
import { statusRoutes } from "./routes/status.ts";
import { whyRoutes } from "./routes/why.ts";
import type { AdminSources } from "./sources.ts";

/** The body of every answer that is not a success. */
export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly next: string;
}

export function buildAdminApp(sources: AdminSources): FastifyInstance {
  const app = Fastify({ logger: false, forceCloseConnections: true, bodyLimit: 64 * 1024 });
  app.setErrorHandler<FastifyError>((error, _request, reply) => {
    const { status, body } = errorBody(error);
    return reply.code(status).send(body);
  });
  app.setNotFoundHandler((request) => {
    throw new WeirError("NOT_FOUND", { what: `${request.method} ${request.url.split("?")[0]}` });
  });
  app.register(statusRoutes, { sources });
  app.register(meshRoutes, { sources });
  app.register(flowRoutes, { sources });
  app.register(whyRoutes, { sources });
  return app;
}

function errorBody(error: FastifyError | WeirError): { status: number; body: ErrorBody } {
  if (error instanceof WeirError) {
    const { code, message, next, status } = error;
    return { status, body: { code, message, next } };
  }
  if (error.validation !== undefined || (error.statusCode ?? 500) < 500)
    return errorBody(new WeirError("QUERY_INVALID", { why: error.message }));
  const next = "This is a fault in Weir; please report it with the agent's log.";
  return { status: 500, body: { code: "INTERNAL", message: error.message, next } };
}
