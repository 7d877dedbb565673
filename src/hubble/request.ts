// GetFlowsRequest as a query of the flow ring.
import { WeirError } from "../errors.ts";
import type { FlowPlace } from "../flows/facets.ts";
import { compileFilters, type FlowFilter } from "../flows/filter.ts";
import type { FlowQuery } from "../flows/query.ts";
import type { Timestamp } from "./message.ts";

type FilterMessage = Readonly<Record<string, unknown>>;

/** As decoded from the wire; absent fields are absent. */
export interface GetFlowsRequest {
  readonly number?: number;
  readonly first?: boolean;
  readonly follow?: boolean;
  readonly since?: Partial<Timestamp> | null;
  readonly until?: Partial<Timestamp> | null;
  readonly whitelist?: readonly FilterMessage[];
  readonly blacklist?: readonly FilterMessage[];
}

/** Throws QUERY_INVALID for what Hubble refuses, too, and for what Weir cannot filter by. */
export function queryOf(request: GetFlowsRequest, place: FlowPlace): FlowQuery {
  const { number = 0, first = false, follow = false, since, until } = request;
  if (first && follow) throw new WeirError("QUERY_INVALID", { why: "first cannot be combined with follow" });
  return {
    first,
    follow,
    ...(number > 0 && number < Number.MAX_SAFE_INTEGER && { number }),
    ...(number >= Number.MAX_SAFE_INTEGER && { first: true }), // all of them, then with follow the new ones
    ...(since && { sinceUs: microseconds(since) }),
    ...(until && { untilUs: microseconds(until) }),
    matches: compileFilters((request.whitelist ?? []).map(filterOf), (request.blacklist ?? []).map(filterOf), place),
  };
}

/** Fields of flows that Weir does not have yet: nothing matches them. */
const absent: ReadonlySet<string> = new Set(
  (
    "source_fqdn destination_fqdn http_status_code http_method http_path http_url http_header dns_query trace_id " +
    "ip_trace_id source_ip_xlated interface node_labels"
  ).split(" "),
);

function filterOf(message: FilterMessage): FlowFilter {
  const filter: Record<string, readonly unknown[]> = {};
  for (const [name, values] of Object.entries(message)) {
    if (name === "experimental") {
      refuseExpressions(values);
    } else if (Array.isArray(values) && values.length > 0) {
      if (absent.has(name)) filter.never = [name];
      else filter[camelCase(name)] = name === "event_type" ? values.map(eventFilter) : values;
    }
  }
  return filter as FlowFilter;
}

function refuseExpressions(experimental: unknown): void {
  const { cel_expression: expressions = [] } = (experimental ?? {}) as { cel_expression?: readonly string[] };
  if (expressions.length > 0) throw new WeirError("QUERY_INVALID", { why: "CEL expressions are not supported" });
}

const eventFilter = (event: { type: number; match_sub_type?: boolean; sub_type?: number }): object => ({
  type: event.type,
  matchSubType: event.match_sub_type ?? false,
  subType: event.sub_type ?? 0,
});

const camelCase = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

// On the wire a zero is an absent field: a whole second comes without nanos.
const microseconds = ({ seconds = 0, nanos = 0 }: Partial<Timestamp>): number =>
  Number(seconds) * 1_000_000 + Math.floor(nanos / 1000);
