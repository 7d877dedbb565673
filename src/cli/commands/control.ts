// weir control
import { once } from "node:events";
import type { Command } from "commander";
import { invalid } from "../../config.ts";
import { controlDefaults, parseAuthorityPlace, parseControlConfig } from "../../control/config.ts";
import type { Options } from "../command.ts";
import { Exit } from "../exit.ts";
import type { Terminal } from "../terminal.ts";

export function define(command: Command): void {
  command
    .option("--source <source>", "where pods are known from: file:DIRECTORY (required)")
    .option("--ca-dir <directory>", "root, node tokens and root-cert.pem; shared on a machine", controlDefaults.caDir)
    .option("--ca-files <directory>", "sign with ca.crt, tls.crt and tls.key from there instead of an own root")
    .option("--listen <host:port>", "where nodes ask for certificates", controlDefaults.listen)
    .option("--server-names <names>", "how clients call this server; its address is added", controlDefaults.serverNames)
    .option("--metrics-address <host:port>", "/metrics and /healthz", controlDefaults.metricsAddress)
    .option("--trust-domain <name>", "of SPIFFE identities", controlDefaults.trustDomain)
    .option("--ttl <duration>", "life of a certificate unless asked otherwise", controlDefaults.ttl)
    .option("--max-ttl <duration>", "the longest that may be asked for", controlDefaults.maxTtl)
    .option("--log-level <level>", "trace, debug, info, warn, error, fatal or silent", controlDefaults.logLevel)
    .option("--rotate-root", "begin a root rotation in --ca-dir and exit; running authorities take part")
    .addHelpText("after", "\nStops on SIGTERM and SIGINT. Certificates it signed stay valid.");
}

export async function run(_args: readonly string[], options: Options, terminal: Terminal): Promise<number> {
  if (options.rotateRoot === true) return rotate(options, terminal);
  const config = parseControlConfig(options);
  const { startControl } = await import("../../control.ts");
  const control = await startControl(config);
  if (!terminal.signal.aborted) await once(terminal.signal, "abort");
  await control.stop();
  return Exit.ok;
}

async function rotate(options: Options, terminal: Terminal): Promise<number> {
  if (options.caFiles !== undefined)
    throw invalid(
      "--rotate-root",
      "the root in --ca-files is somebody else's: put the new one into its ca.crt beside it",
    );
  const { caDir, trustDomain } = parseAuthorityPlace(options);
  const { rotateRoot } = await import("../../control/rotate.ts");
  const signsFrom = await rotateRoot(caDir, trustDomain);
  terminal.stdout.write(`Peers are told of the new root from now on; it signs from ${signsFrom.toISOString()}.\n`);
  return Exit.ok;
}
