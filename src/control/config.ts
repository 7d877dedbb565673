// What `weir control` is told: one pass from flags to a frozen, checked value.
import { isIP } from "node:net";
import { isAbsolute, resolve } from "node:path";
import {
  invalid,
  type ListenAddress,
  parseDuration,
  parseListenAddress,
  parseLogLevel,
  parseSource,
} from "../config.ts";
import { isTrustDomain } from "../identity/spiffe-id.ts";
import type { LogLevel } from "../log.ts";

export interface ControlConfig {
  /** Directory of manifests: the `file` source. */
  readonly sourceDirectory: string;
  /** The authority's state and the nodes' credentials. */
  readonly caDir: string;
  /** ca.crt, tls.crt and tls.key, for an authority somebody else keeps. */
  readonly caFiles: string | undefined;
  readonly listen: ListenAddress;
  /** Names in the server's certificate. */
  readonly serverNames: readonly string[];
  readonly metricsAddress: ListenAddress;
  readonly trustDomain: string;
  /** Seconds, both. */
  readonly ttl: number;
  readonly maxTtl: number;
  readonly logLevel: LogLevel;
}

/** Flags as the command line gives them: text by name, absent when not given. */
export type ControlFlags = Readonly<Partial<Record<keyof typeof defaults | "source" | "caFiles", string>>>;

const defaults = {
  caDir: "/var/lib/weir/ca",
  listen: "127.0.0.1:15012",
  serverNames: "weir-control.weir-system.svc,localhost",
  metricsAddress: "127.0.0.1:15014",
  trustDomain: "cluster.local",
  ttl: "24h",
  maxTtl: "2160h",
  logLevel: "info",
};

export const controlDefaults: Readonly<Record<keyof typeof defaults, string>> = defaults;

/** Throws WeirError CONFIG_INVALID naming the first setting that cannot be used. */
export function parseControlConfig(flags: ControlFlags): ControlConfig {
  const given = { ...defaults, ...flags };
  const listen = parseListenAddress("--listen", given.listen);
  const maxTtl = parseLifetime("--max-ttl", given.maxTtl, LONGEST);
  return Object.freeze({
    sourceDirectory: parseSource(given.source),
    ...parseAuthorityPlace(flags),
    caFiles: given.caFiles === undefined ? undefined : resolve(given.caFiles),
    listen,
    serverNames: parseServerNames(given.serverNames, listen.host),
    metricsAddress: parseListenAddress("--metrics-address", given.metricsAddress),
    ttl: parseLifetime("--ttl", given.ttl, maxTtl),
    maxTtl,
    logLevel: parseLogLevel(given.logLevel),
  });
}

/** The part that says which authority is meant. Throws WeirError CONFIG_INVALID. */
export function parseAuthorityPlace(flags: ControlFlags): Pick<ControlConfig, "caDir" | "trustDomain"> {
  const { caDir, trustDomain } = { ...defaults, ...flags };
  if (!isAbsolute(caDir)) throw invalid("--ca-dir", `expected an absolute path, got "${caDir}"`);
  if (!isTrustDomain(trustDomain))
    throw invalid("--trust-domain", `expected lower-case letters, digits, "-", "_" and ".", got "${trustDomain}"`);
  return { caDir, trustDomain };
}

/** 90 days, as in Istio. Seconds. */
const LONGEST = 90 * 24 * 3600;

function parseLifetime(setting: string, text: string, longest: number): number {
  const seconds = Math.floor(parseDuration(setting, text) / 1000);
  if (seconds >= 1 && seconds <= longest) return seconds;
  throw invalid(setting, `expected from 1s to ${longest / 3600}h, got "${text}"`);
}

function parseServerNames(text: string, host: string): string[] {
  const names = text.split(",").filter((name) => name !== "");
  const odd = names.find((name) => isIP(name) === 0 && !/^[A-Za-z0-9*]([-A-Za-z0-9.]*[A-Za-z0-9])?$/.test(name));
  if (odd !== undefined) throw invalid("--server-names", `expected host names and addresses, got "${odd}"`);
  const everywhere = ["0.0.0.0", "::"].includes(host) ? ["127.0.0.1", "::1"] : [host];
  return [...new Set([...names, ...everywhere])];
}
