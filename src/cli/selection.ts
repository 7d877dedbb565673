// hubble observe's filter flags, in the order they were given, as filters of src/flows/filter.ts. A flag for either side makes
// two filters, one with it at the source and one at the destination; --not applies to the flag after it.
import { WeirError } from "../errors.ts";
import type { FlowFilter } from "../flows/filter.ts";

type Values = Record<string, unknown[]>;

/** What `--FLAG`, `--from-FLAG` and `--to-FLAG` look at. */
const sided: Readonly<
  Record<string, { readonly suffix: string; readonly help: string; parse?(value: string): unknown }>
> = {
  pod: { suffix: "Pod", help: "[namespace/]pod-prefix" },
  namespace: { suffix: "Pod", help: "namespace", parse: (value) => `${value}/` },
  ip: { suffix: "Ip", help: "address or CIDR range" },
  port: { suffix: "Port", help: "port" },
  label: { suffix: "Label", help: "label selector" },
  service: { suffix: "Service", help: "[namespace/]service-prefix" },
  workload: { suffix: "Workload", help: "[kind/]name", parse: parseWorkload },
  identity: { suffix: "Identity", help: "identity number", parse: parseNumber },
};

const plain: Readonly<
  Record<string, { readonly field: keyof FlowFilter; readonly help: string; parse?(value: string): unknown }>
> = {
  verdict: { field: "verdict", help: "FORWARDED (allowed), DROPPED (denied) or AUDIT", parse: parseVerdict },
  protocol: { field: "protocol", help: "protocol, such as tcp" },
  "traffic-direction": { field: "trafficDirection", help: "ingress or egress", parse: oneOf(["INGRESS", "EGRESS"]) },
  "drop-reason-desc": { field: "dropReasonDesc", help: "Hubble's drop reason", parse: (value) => value.toUpperCase() },
  "node-name": { field: "nodeName", help: "[cluster/]node, with * as wildcard" },
  "tcp-flags": { field: "tcpFlags", help: "TCP flags, such as syn or fin,ack", parse: parseFlags },
  "ip-version": { field: "ipVersion", help: "v4 or v6", parse: parseVersion },
  uuid: { field: "uuid", help: "flow id" },
};

/** Every flag with the name of its value and a description, for --help. */
export const selectionFlags: readonly { readonly flag: string; readonly help: string }[] = [
  ...Object.entries(sided).flatMap(([flag, { help }]) => [
    { flag, help: `either end: ${help}` },
    { flag: `from-${flag}`, help: `source: ${help}` },
    { flag: `to-${flag}`, help: `destination: ${help}` },
  ]),
  ...Object.entries(plain).map(([flag, { help }]) => ({ flag, help })),
];

export class Selection {
  readonly #allow = new FilterPair();
  readonly #deny = new FilterPair();
  #negate = false;

  /** --not */
  not(): void {
    this.#negate = true;
  }

  /** Adds a flag's value. Throws QUERY_INVALID for one of a wrong form. */
  add(flag: string, value: string): void {
    const pair = this.#negate ? this.#deny : this.#allow;
    this.#negate = false;
    pair.add(flag, value);
  }

  get allow(): FlowFilter[] {
    if (this.#negate) throw invalid("--not stands before the filter it takes away, and none follows it");
    return this.#allow.filters();
  }

  get deny(): FlowFilter[] {
    return this.#deny.filters();
  }
}

class FilterPair {
  readonly #left: Values = {};
  readonly #right: Values = {};
  readonly #flags = new Set<string>();

  add(flag: string, value: string): void {
    this.#flags.add(flag);
    const simple = plain[flag];
    if (simple !== undefined) {
      const parsed = simple.parse?.(value) ?? value;
      put(this.#left, simple.field, parsed);
      put(this.#right, simple.field, parsed);
      return;
    }
    const [, side, name = ""] = /^(from-|to-)?(.+)$/.exec(flag)!;
    const { suffix, parse } = sided[name]!;
    this.#refuse(name, side);
    const parsed = parse?.(value) ?? value;
    if (side !== "to-") put(this.#left, `source${suffix}`, parsed);
    if (side === "from-") put(this.#right, `source${suffix}`, parsed);
    if (side !== "from-") put(this.#right, `destination${suffix}`, parsed);
    if (side === "to-") put(this.#left, `destination${suffix}`, parsed);
  }

  filters(): FlowFilter[] {
    if (this.#flags.size === 0) return [];
    const [left, right] = [this.#left, this.#right].map(withNamespaces) as [FlowFilter, FlowFilter];
    return JSON.stringify(left) === JSON.stringify(right) ? [left] : [left, right];
  }

  #refuse(name: string, side: string | undefined): void {
    const others = side === undefined ? [`from-${name}`, `to-${name}`] : [name];
    const other = others.find((flag) => this.#flags.has(flag));
    if (other !== undefined) throw invalid(`--${side ?? ""}${name} cannot be combined with --${other}`);
  }
}

const put = (values: Values, field: string, value: unknown): void => {
  values[field] = [...(values[field] ?? []), value];
};

// `-n shop --pod web` means pod shop/web: a bare name takes the namespaces that are asked for beside it.
function withNamespaces(values: Values): FlowFilter {
  const result = { ...values };
  for (const field of ["sourcePod", "destinationPod"]) {
    const names = (values[field] ?? []) as string[];
    const namespaces = names.filter((name) => name.endsWith("/"));
    const bare = names.filter((name) => !name.includes("/"));
    if (namespaces.length === 0 || bare.length === 0) continue;
    const rest = names.filter((name) => name.includes("/") && !name.endsWith("/"));
    result[field] = [...rest, ...namespaces.flatMap((namespace) => bare.map((name) => namespace + name))];
  }
  return result as FlowFilter;
}

function parseVerdict(value: string): string {
  const name = value.toUpperCase();
  const aliases: Readonly<Record<string, string>> = { ALLOWED: "FORWARDED", DENIED: "DROPPED" };
  return oneOf(verdicts)(aliases[name] ?? name);
}

/** Hubble's; flows of Weir have the first three. */
const verdicts = ["FORWARDED", "DROPPED", "AUDIT", "ERROR", "REDIRECTED", "TRACED", "TRANSLATED"];

function parseVersion(value: string): string {
  const version = /^(?:ip)?v?([46])$/i.exec(value)?.[1];
  if (version === undefined) throw invalid(`"${value}" is neither v4 nor v6`);
  return `IPv${version}`;
}

function oneOf(known: readonly string[]): (value: string) => string {
  return (value) => {
    const name = value.toUpperCase();
    if (!known.includes(name)) throw invalid(`"${value}" is none of ${known.join(", ")}`);
    return name;
  };
}

function parseWorkload(value: string): { kind?: string; name: string } {
  const slash = value.indexOf("/");
  if (value === "" || value === "/") throw invalid("a workload to filter by is empty");
  return slash < 0 ? { name: value } : { kind: value.slice(0, slash), name: value.slice(slash + 1) };
}

function parseNumber(value: string): number {
  if (!/^\d{1,10}$/.test(value)) throw invalid(`"${value}" is not a number`);
  return Number(value);
}

const flagNames: ReadonlySet<string> = new Set(["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "NS"]);

function parseFlags(value: string): Record<string, boolean> {
  const names = value.toUpperCase().split(",");
  const unknown = names.find((name) => !flagNames.has(name));
  if (unknown !== undefined) throw invalid(`there is no TCP flag "${unknown}"`);
  return Object.fromEntries(names.map((name) => [name, true]));
}

const invalid = (why: string): WeirError => new WeirError("QUERY_INVALID", { why });
