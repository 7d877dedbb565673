// weir agent
import { once } from "node:events";
import { flushCompileCache } from "node:module";
import type { Command } from "commander";
import { startAgent } from "../../agent.ts";
import { agentDefaults, parseAgentConfig } from "../../config.ts";
import { needRoot, type Options } from "../command.ts";
import { Exit } from "../exit.ts";
import type { Terminal } from "../terminal.ts";

export function define(command: Command): void {
  command
    .option("--node <name>", "name of this node, as spec.nodeName of its pods has it (required)")
    .option("--source <source>", "where configuration comes from: file:DIRECTORY (required)")
    .option("--state-dir <directory>", "sockets and ids; default /run/weir/NODE")
    .option("--hubble-address <host:port>", "serve Hubble's Observer there, too; unencrypted")
    .option("--metrics-address <host:port>", "/metrics and /healthz", agentDefaults.metricsAddress)
    .option("--trust-domain <name>", "of SPIFFE identities", agentDefaults.trustDomain)
    .option("--root-namespaces <names>", "whose policies hold for the whole mesh", agentDefaults.rootNamespaces)
    .option("--cluster <name>", "for metrics and flows", agentDefaults.cluster)
    .option("--log-level <level>", "trace, debug, info, warn, error, fatal or silent", agentDefaults.logLevel)
    .option("--proxy-threads <count>", "worker threads of the node proxy", agentDefaults.proxyThreads)
    .option("--connections-per-pod <count>", "proxied connections a pod may have", agentDefaults.connectionsPerPod)
    .option("--dial-timeout <duration>", "of the node proxy", agentDefaults.dialTimeout)
    .option("--drain-timeout <duration>", "what proxied connections get to end at a stop", agentDefaults.drainTimeout)
    .option("--max-stale <duration>", "how long verdicts hold without an agent", agentDefaults.maxStale)
    .option("--pod-quota <count>", "half-open connections a pod may have", agentDefaults.podQuota)
    .addHelpText(
      "after",
      "\nStops on SIGTERM and SIGINT. What it pinned in the kernel stays in force; see weir uninstall.",
    );
}

export async function run(_args: readonly string[], options: Options, terminal: Terminal): Promise<number> {
  const config = parseAgentConfig(options);
  needRoot("agent");
  const agent = await startAgent(config);
  flushCompileCache(); // an agent that is killed leaves it to the next one, too
  if (!terminal.signal.aborted) await once(terminal.signal, "abort");
  await agent.stop();
  return Exit.ok;
}
