// GET and POST /why: by flow, or by both ends of a connection that could be.
import type { FastifyInstance } from "fastify";
import { WeirError } from "../../errors.ts";
import { whyQuery, whySchema } from "../schemas.ts";
import type { AdminSources } from "../sources.ts";
import { type WhyAnswer, whyFlow, whyHypothetical } from "../why.ts";

interface WhyQuery {
  readonly flow?: string;
  readonly from?: string;
  readonly to?: string;
}

export async function whyRoutes(app: FastifyInstance, { sources }: { sources: AdminSources }): Promise<void> {
  const response = { 200: whySchema };
  app.get<{ Querystring: WhyQuery }>("/why", { schema: { querystring: whyQuery, response } }, (request) =>
    answer(sources, request.query),
  );
  app.post<{ Body: WhyQuery }>("/why", { schema: { body: whyQuery, response } }, (request) =>
    answer(sources, request.body),
  );
}

function answer(sources: AdminSources, { flow, from, to }: WhyQuery): WhyAnswer {
  if (flow !== undefined && from === undefined && to === undefined) return whyFlow(sources, flow);
  if (flow === undefined && from !== undefined && to !== undefined) return whyHypothetical(sources, from, to);
  throw new WeirError("QUERY_INVALID", { why: "give either flow, or both from and to" });
}
