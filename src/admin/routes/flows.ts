// GET /flows as lines of JSON, and GET /flows/:id.
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { WeirError } from "../../errors.ts";
import { compileFilters, type FlowFilter } from "../../flows/filter.ts";
import type { Flow } from "../../flows/flow.ts";
import { type FlowEvent, type FlowQuery, readFlows } from "../../flows/query.ts";
import { responseJson } from "../../hubble/message.ts";
import { flowSchema, flowsQuery, idParams } from "../schemas.ts";
import type { AdminSources } from "../sources.ts";
import { flowById } from "../why.ts";

/** One line of GET /flows. */
export type FlowLine = { readonly flow: Flow } | { readonly lost: number; readonly by: string };

interface FlowsQuery {
  readonly last?: number;
  readonly first?: number;
  readonly since?: string;
  readonly until?: string;
  readonly follow?: boolean;
  /** JSON lists of filters, as src/flows/filter.ts has them. */
  readonly allow?: string;
  readonly deny?: string;
  /** How lines look: Weir's own form, or Hubble's GetFlowsResponse. */
  readonly form?: "weir" | "hubble";
}

export async function flowRoutes(app: FastifyInstance, { sources }: { sources: AdminSources }): Promise<void> {
  app.get<{ Querystring: FlowsQuery }>("/flows", { schema: { querystring: flowsQuery } }, (request, reply) => {
    const query = parseQuery(request.query, sources);
    const stop = new AbortController();
    reply.raw.once("close", () => stop.abort());
    const render = request.query.form === "hubble" ? hubbleLine(sources) : weirLine;
    const lines = toLines(readFlows(sources.flows, query, stop.signal), render);
    return reply.type("application/x-ndjson").send(Readable.from(lines, { objectMode: false }));
  });
  app.get<{ Params: { id: string } }>(
    "/flows/:id",
    { schema: { params: idParams, response: { 200: flowSchema } } },
    (request) => flowById(sources, request.params.id),
  );
}

function parseQuery(query: FlowsQuery, sources: AdminSources): FlowQuery {
  const { first, last, follow = false } = query;
  if (first !== undefined && (last !== undefined || follow))
    throw new WeirError("QUERY_INVALID", { why: "first cannot be combined with last or follow" });
  const number = first ?? last;
  return {
    follow,
    first: first !== undefined,
    ...(number !== undefined && { number }),
    ...(query.since !== undefined && { sinceUs: microseconds(query.since) }),
    ...(query.until !== undefined && { untilUs: microseconds(query.until) }),
    matches: compileFilters(parseFilters(query.allow), parseFilters(query.deny), sources.place),
  };
}

function microseconds(time: string): number {
  const milliseconds = Date.parse(time);
  if (Number.isNaN(milliseconds)) throw new WeirError("QUERY_INVALID", { why: `"${time}" is not a time (RFC 3339)` });
  return milliseconds * 1000;
}

function parseFilters(text: string | undefined): FlowFilter[] {
  if (text === undefined) return [];
  const value = parseJson(text);
  const isFilter = (one: unknown) =>
    typeof one === "object" && one !== null && Object.values(one).every((values) => Array.isArray(values));
  if (!Array.isArray(value) || !value.every(isFilter))
    throw new WeirError("QUERY_INVALID", { why: "filters are a JSON list of objects whose fields are lists" });
  return value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new WeirError("QUERY_INVALID", { why: "filters are not valid JSON" }, error);
  }
}

const weirLine = (event: FlowEvent): FlowLine => ("flow" in event ? { flow: event.flow } : event);

const hubbleLine =
  ({ flows: { node, ring }, place }: AdminSources) =>
  (event: FlowEvent): object =>
    responseJson(event, node, place, ring.nowUs());

async function* toLines(
  events: AsyncIterable<FlowEvent>,
  render: (event: FlowEvent) => object,
): AsyncGenerator<string, void, undefined> {
  for await (const event of events) yield `${JSON.stringify(render(event))}\n`;
}
