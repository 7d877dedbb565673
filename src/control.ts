// The composition root of `weir control`: the certificate authority, and what it has to know of pods.
import { createServer, type Server } from "node:http";
import { scrape } from "./admin/scrape.ts";
import type { ControlConfig } from "./control/config.ts";
import { renderControl } from "./control/metrics.ts";
import { Upkeep } from "./control/upkeep.ts";
import { reasonOf, WeirError } from "./errors.ts";
import { FileSource } from "./files/source.ts";
import { Admission, defaultLimits } from "./identity/admission.ts";
import { Audit } from "./identity/audit.ts";
import { Authority } from "./identity/authority.ts";
import { CapturedPods } from "./identity/captured-pods.ts";
import { GivenAuthority } from "./identity/given-authority.ts";
import { Issuer } from "./identity/issuer.ts";
import { NodeTokens } from "./identity/node-tokens.ts";
import { OwnAuthority } from "./identity/own-authority.ts";
import { PrivateDirectory } from "./identity/private-directory.ts";
import { CertificateServer } from "./identity/server.ts";
import { componentLog, createLog, type Log } from "./log.ts";

export interface Control {
  /** Ports that are listened on, for configured ports of 0. */
  readonly port: number;
  readonly metricsPort: number;
  /** Stops in reverse order of the start. */
  stop(): Promise<void>;
}

/** Starts the authority; resolves when it serves. */
export async function startControl(config: ControlConfig, log: Log = createLog(config.logLevel)): Promise<Control> {
  await using starting = new AsyncDisposableStack();
  const { trustDomain, ttl: defaultTtl, maxTtl } = config;
  const now = () => Date.now();
  const steady = () => performance.now();

  const directory = new PrivateDirectory(config.caDir);
  const signers =
    config.caFiles === undefined
      ? await OwnAuthority.open({ directory, trustDomain, now })
      : new GivenAuthority({ directory: config.caFiles, now });
  const tokens = await NodeTokens.open({ directory, now });

  const pods = new CapturedPods(trustDomain);
  const audit = new Audit(componentLog(log, "audit"), steady);
  const admission = new Admission(defaultLimits, steady);
  const authority = new Authority({ source: signers, defaultTtl, maxTtl, now });
  const issuer = new Issuer({ authority, authenticator: tokens, pods, admission, audit });
  const { listen: address, serverNames: names } = config;
  const server = new CertificateServer({ issuer, authority, address, names, now, log: componentLog(log, "server") });

  const upkeep = new Upkeep({
    ...{ signers, tokens, pods, admission, server, directory },
    log: componentLog(log, "upkeep"),
  });
  starting.defer(() => upkeep.close());
  const source = new FileSource({
    directory: config.sourceDirectory,
    log: componentLog(log, "files"),
    deliver: (changes) => {
      pods.take(changes);
      upkeep.provideTokens();
    },
  });
  starting.defer(() => source.close());
  await upkeep.start();
  starting.defer(() => server.close());
  await server.listen();

  const metrics = createServer(
    scrape({
      metrics: () =>
        renderControl({
          ...{ audit, server, working: admission.working, pods: pods.size },
          ...{ roots: upkeep.roots, signerNotAfter: upkeep.signerNotAfter },
          problems: source.problems().length + upkeep.problems().length,
        }),
      notReady: () => (upkeep.signerNotAfter > now() ? undefined : "the certificate that signs has expired"),
    }),
  );
  starting.defer(() => close(metrics));
  await listen(metrics, config.metricsAddress);
  log.info({ port: server.port, trustDomain, pods: pods.size, directory: config.caDir }, "the authority is ready");

  const running = starting.move();
  return {
    port: server.port,
    metricsPort: portOf(metrics),
    stop: () => running.disposeAsync(),
  };
}

function listen(server: Server, { host, port }: ControlConfig["metricsAddress"]): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) =>
      reject(new WeirError("ADDRESS_IN_USE", { address: `${host}:${port}`, why: reasonOf(error) }, error)),
    );
    server.listen({ host, port }, resolve);
  });
}

async function close(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
