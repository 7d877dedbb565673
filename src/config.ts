// What `weir agent` is told: one pass from flags to a frozen, checked value.
import { isIP } from "node:net";
import { isAbsolute, resolve } from "node:path";
import { WeirError } from "./errors.ts";
import { type LogLevel, logLevels } from "./log.ts";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface AgentConfig {
  readonly node: string;
  /** Directory of manifests: the `file` source. */
  readonly sourceDirectory: string;
  readonly stateDir: string;
  readonly metricsAddress: ListenAddress;
  readonly hubbleAddress: ListenAddress | undefined;
  readonly trustDomain: string;
  readonly rootNamespaces: readonly string[];
  readonly cluster: string;
  readonly logLevel: LogLevel;
  readonly proxyThreads: number;
  readonly connectionsPerPod: number;
  readonly dialTimeoutMs: number;
  readonly drainMs: number;
  /** Cached verdicts hold this long after the agent was last heard of. */
  readonly maxStaleMs: number;
  /** Half-open connections a pod may have. */
  readonly podQuota: number;
}

/** Flags as the command line gives them: text by name, absent when not given. */
export type AgentFlags = Readonly<
  Partial<Record<keyof typeof defaults | "node" | "source" | "stateDir" | "hubbleAddress", string>>
>;

const defaults = {
  metricsAddress: "127.0.0.1:15020",
  trustDomain: "cluster.local",
  rootNamespaces: "istio-system,weir-system",
  cluster: "Kubernetes",
  logLevel: "info",
  proxyThreads: "2",
  connectionsPerPod: "16384",
  dialTimeout: "10s",
  drainTimeout: "5s",
  maxStale: "1h",
  podQuota: "8192",
};

export const agentDefaults: Readonly<Record<keyof typeof defaults, string>> = defaults;

/** Throws WeirError CONFIG_INVALID naming the first setting that cannot be used. */
export function parseAgentConfig(flags: AgentFlags): AgentConfig {
  const given = { ...defaults, ...flags };
  const node = parseNode(given.node);
  return Object.freeze({
    node,
    sourceDirectory: parseSource(given.source),
    stateDir: parseDirectory("--state-dir", given.stateDir ?? `/run/weir/${node}`),
    metricsAddress: parseListenAddress("--metrics-address", given.metricsAddress),
    hubbleAddress:
      given.hubbleAddress === undefined ? undefined : parseListenAddress("--hubble-address", given.hubbleAddress),
    trustDomain: parseName("--trust-domain", given.trustDomain),
    rootNamespaces: given.rootNamespaces.split(",").map((name) => parseName("--root-namespaces", name)),
    cluster: parseName("--cluster", given.cluster),
    logLevel: parseLogLevel(given.logLevel),
    proxyThreads: parseCount("--proxy-threads", given.proxyThreads, 64),
    connectionsPerPod: parseCount("--connections-per-pod", given.connectionsPerPod, 1_000_000),
    dialTimeoutMs: parseDuration("--dial-timeout", given.dialTimeout),
    drainMs: parseDuration("--drain-timeout", given.drainTimeout),
    maxStaleMs: parseDuration("--max-stale", given.maxStale),
    podQuota: parseCount("--pod-quota", given.podQuota, 65_536),
  });
}

/** HOST:PORT, with an IPv6 host in brackets. */
export function parseListenAddress(setting: string, text: string): ListenAddress {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535 || (match?.[1] !== undefined && isIP(host) !== 6))
    throw invalid(setting, `expected HOST:PORT, for example 127.0.0.1:15020 or [::1]:15020, got "${text}"`);
  return { host, port };
}

/** Throws CONFIG_INVALID for what cannot be a node's name. */
export function parseNode(text: string | undefined): string {
  if (text === undefined)
    throw invalid("--node", "it is required: the name of this node as manifests know it (spec.nodeName)");
  if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text))
    throw invalid("--node", `expected lower-case letters, digits, "-" and ".", got "${text}"`);
  return text;
}

export function parseSource(text: string | undefined): string {
  const match = /^file:(.+)$/.exec(text ?? "");
  if (match?.[1] === undefined)
    throw invalid("--source", `expected file:DIRECTORY, got ${text === undefined ? "nothing" : `"${text}"`}`);
  return resolve(match[1]);
}

function parseDirectory(setting: string, text: string): string {
  if (!isAbsolute(text)) throw invalid(setting, `expected an absolute path, got "${text}"`);
  // sun_path has room for 107 bytes, and hubble.sock must fit.
  if (Buffer.byteLength(text) > 90) throw invalid(setting, "the path is too long to hold a socket: at most 90 bytes");
  return text;
}

function parseName(setting: string, text: string): string {
  if (!/^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?$/.test(text))
    throw invalid(setting, `expected a name, got "${text}"`);
  return text;
}

export function parseLogLevel(text: string): LogLevel {
  const level = logLevels.find((known) => known === text);
  if (level === undefined) throw invalid("--log-level", `expected one of ${logLevels.join(", ")}, got "${text}"`);
  return level;
}

function parseCount(setting: string, text: string, limit: number): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count >= 1 && count <= limit))
    throw invalid(setting, `expected a whole number from 1 to ${limit}, got "${text}"`);
  return count;
}

const durationUnits = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

export function parseDuration(setting: string, text: string): number {
  const match = /^(\d{1,6})(ms|s|m|h)$/.exec(text);
  if (match === null) throw invalid(setting, `expected a duration such as 500ms, 10s, 5m or 1h, got "${text}"`);
  return Number(match[1]) * durationUnits[match[2] as keyof typeof durationUnits];
}

/** The error about one setting. */
export const invalid = (setting: string, why: string) => new WeirError("CONFIG_INVALID", { setting, why });
