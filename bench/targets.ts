// What the figures are held against.
import type { Results } from "./results.ts";

export interface Target {
  readonly says: string;
  /** The value reached; NaN when it was not measured. */
  readonly value: (results: Results) => number;
  readonly needs: "at least" | "at most" | "above" | "below";
  readonly bound: number;
  readonly unit: string;
  readonly digits: number;
}

export interface Judgement {
  readonly target: Target;
  readonly value: number;
  /** Undefined: not measured. */
  readonly met: boolean | undefined;
}

const ratio = (
  says: string,
  figure: string,
  peer: string,
  to: string,
  needs: Target["needs"],
  bound: number,
): Target => ({
  says,
  value: (results) => results.ratio(figure, peer, to),
  needs,
  bound,
  unit: "x",
  digits: 3,
});

const value = (says: string, figure: string, peer: string, bound: number, unit: string, digits: number): Target => ({
  says,
  value: (results) => results.median(figure, peer),
  needs: "at most",
  bound,
  unit,
  digits,
});

const ahead = (other: string, title: string): Target[] => [
  ratio(`proxied over ${title}: one stream`, "stream1.rate", "weir-proxied", other, "above", 1),
  ratio(`proxied over ${title}: eight streams`, "stream8.rate", "weir-proxied", other, "above", 1),
  ratio(`proxied over ${title}: round trip p99`, "roundtrip.p99", "weir-proxied", other, "below", 1),
  ratio(`proxied over ${title}: round trip p99 on one CPU`, "roundtrip-cpu0.p99", "weir-proxied", other, "below", 1),
  ratio(`proxied over ${title}: CPU per GB, one stream`, "stream1.cpu", "weir-proxied", other, "below", 1),
  ratio(`proxied over ${title}: CPU per GB, eight streams`, "stream8.cpu", "weir-proxied", other, "below", 1),
];

export const targets: readonly Target[] = [
  ratio("direct over native: one stream", "stream1.rate", "weir-direct", "native", "at least", 0.97),
  ratio("direct over native: eight streams", "stream8.rate", "weir-direct", "native", "at least", 0.97),
  ratio("direct over native: round trip p50", "roundtrip.p50", "weir-direct", "native", "at most", 1.05),
  ratio(
    "direct over native: round trip p50 on one CPU",
    "roundtrip-cpu0.p50",
    "weir-direct",
    "native",
    "at most",
    1.05,
  ),
  ratio("direct over native: new connections", "connect.rate", "weir-direct", "native", "at least", 0.92),
  value("connect hook, dialling a pod", "hook.connect", "weir-direct", 300, "ns", 0),
  value("connect hook, dialling a Service", "hook.connectService", "weir-direct", 300, "ns", 0),
  ...ahead("envoy", "Envoy"),
  ...ahead("haproxy", "HAProxy"),
  value("agent idle, PSS", "memory.idle", "weir-direct", 90, "MB", 1),
  value("Rust, each idle proxied connection", "memory.rustEach", "weir-proxied", 8192, "B", 0),
  value("policy change p50", "change.policyP50", "weir-large", 20, "ms", 1),
  value("policy change p99", "change.policyP99", "weir-large", 150, "ms", 1),
  value("endpoint change p50", "change.endpointP50", "weir-large", 20, "ms", 1),
  value("endpoint change p99", "change.endpointP99", "weir-large", 150, "ms", 1),
];

export const judge = (results: Results): Judgement[] =>
  targets.map((target) => {
    const value = target.value(results);
    return { target, value, met: Number.isFinite(value) ? holds(value, target) : undefined };
  });

function holds(value: number, { needs, bound }: Target): boolean {
  switch (needs) {
    case "at least":
      return value >= bound;
    case "at most":
      return value <= bound;
    case "above":
      return value > bound;
    case "below":
      return value < bound;
  }
}
