// The composition root: what is built from what, started in order and stopped in reverse.
import { mkdir, readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { AdminServer } from "./admin/server.ts";
import { revocationRows } from "./agent/revocation.ts";
import { Upkeep } from "./agent/upkeep.ts";
import { AgentView } from "./agent/view.ts";
import type { AgentConfig } from "./config.ts";
import { reasonOf, WeirError } from "./errors.ts";
import { FileSource } from "./files/source.ts";
import { FlowIntake } from "./flows/intake.ts";
import { LiveConnections } from "./flows/live.ts";
import { FlowRing } from "./flows/ring.ts";
import { HubbleServer } from "./hubble/server.ts";
import { componentLog, createLog } from "./log.ts";
import { Ids } from "./mesh/ids.ts";
import { TrafficMetrics } from "./metrics/traffic.ts";
import { openDatapath, uninstallDatapath } from "./native/datapath.ts";
import { startProxy } from "./native/proxy.ts";
import { Captures } from "./snapshot/captures.ts";
import { ControlLoop } from "./snapshot/control-loop.ts";
import { Desired } from "./snapshot/desired.ts";
import { Publisher } from "./snapshot/publish.ts";

export interface Agent {
  /** Drains, stops in reverse order of the start. What is pinned in the kernel stays in force. */
  stop(): Promise<void>;
}

/** The node proxy is taken for hung when its heartbeat, every 500 ms, is older than this. Milliseconds. */
const HANG = 5_000;

/** Starts an agent; resolves when the state of its source is in force. */
export async function startAgent(config: AgentConfig): Promise<Agent> {
  await using starting = new AsyncDisposableStack();
  const log = createLog(config.logLevel);
  await readable(config.sourceDirectory);
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 });
  starting.use(await lockNode(config));

  const { node, maxStaleMs, podQuota, connectionsPerPod, dialTimeoutMs, drainMs } = config;
  const datapath = openDatapath({ node, hangMs: HANG, maxStaleMs, podQuota });
  let ready = false;
  starting.defer(() => {
    datapath.close();
    // A first start that fails must not leave pods captured with nobody to serve them.
    if (!ready && !datapath.adopted) uninstallDatapath(node);
  });
  log.info({ node, adopted: datapath.adopted, notAdopted: datapath.notAdopted }, "the kernel side is in place");

  const ids = new Ids({ stateDirectory: config.stateDir, floor: datapath.idHighWater() });
  starting.defer(() => ids.close());
  const desired = new Desired({ node, trustDomain: config.trustDomain, rootNamespaces: config.rootNamespaces, ids });
  const { names } = desired;

  const ring = new FlowRing();
  const live = new LiveConnections();
  const traffic = new TrafficMetrics({ names, place: { cluster: config.cluster, domain: config.trustDomain } });
  const intake = new FlowIntake(ring, live, traffic);

  const proxy = startProxy({ threads: config.proxyThreads, maps: datapath.maps });
  starting.defer(async () => {
    const reset = await proxy.drain(drainMs);
    if (reset > 0) log.warn({ connections: reset }, "reset connections that had not ended by the drain deadline");
    proxy.close();
  });
  proxy.onRecords((batch, lost) => intake.ingest("proxy", batch, lost));
  datapath.onRecords((batch, lost) => intake.ingest("kernel", batch, lost));

  const captures = new Captures({ datapath, proxy, log: componentLog(log, "captures") });
  const limits = { connectionsPerPod, dialTimeoutMs, drainMs };
  const publisher = new Publisher({ datapath, proxy, captures, ids, limits, log: componentLog(log, "publish") });
  const loop = new ControlLoop({
    desired,
    publisher,
    captures,
    datapath,
    recheck: {
      captures,
      authorize: (questions) => proxy.authorize(questions),
      names,
      isServer: (connection) => live.isServer(connection),
    },
    revoked: (revocations) => intake.ingest("agent", revocationRows(revocations, process.hrtime.bigint()), 0),
    log: componentLog(log, "control"),
  });
  starting.defer(() => loop.close());

  const source = new FileSource({
    directory: config.sourceDirectory,
    log: componentLog(log, "files"),
    deliver: (changes) => loop.take(changes),
  });
  starting.defer(() => source.close());
  // An empty directory delivers nothing, and is a state to publish all the same.
  loop.take({ upserts: [], deletes: [] });
  await loop.idle();
  if (datapath.adopted) intake.adopt(socketsOf(), names, Number(process.hrtime.bigint()));

  function socketsOf() {
    return [...captures.all()].flatMap((capture) => captures.sockets(capture));
  }
  const upkeep = new Upkeep({
    datapath,
    proxy,
    loop,
    intake,
    ring,
    sockets: socketsOf,
    log: componentLog(log, "upkeep"),
  });
  starting.defer(() => upkeep.close());

  const view = new AgentView({
    ...{ config, datapath, proxy, desired, captures, loop, source, ring, live, traffic, upkeep },
    hostAddresses: hostAddresses(),
  });
  starting.defer(() => view.close());
  const hubble = new HubbleServer({
    sources: { ring, names, node },
    place: view.place,
    socket: join(config.stateDir, "hubble.sock"),
    address: config.hubbleAddress,
    version: view.version,
  });
  starting.defer(() => hubble.close());
  await hubble.listen();
  const admin = new AdminServer({
    sources: view,
    socket: join(config.stateDir, "admin.sock"),
    metrics: config.metricsAddress,
  });
  starting.defer(() => admin.close());
  await admin.listen();
  log.info({ node, pods: captures.size, metrics: config.metricsAddress }, "the agent is ready");

  ready = true;
  const running = starting.move();
  return { stop: () => running.disposeAsync() };
}

/** Nothing is known yet: to take a directory that is away for an empty one would let go of every pod. */
async function readable(directory: string): Promise<void> {
  await readdir(directory).catch((error) => {
    throw new WeirError("DIRECTORY_UNREADABLE", { directory, why: reasonOf(error) }, error);
  });
}

/** One agent a node on this machine: the kernel frees the name when its holder dies, however it dies. */
async function lockNode({ node, stateDir }: AgentConfig): Promise<AsyncDisposable> {
  const lock = createServer((connection) => connection.destroy());
  await new Promise<void>((resolve, reject) => {
    lock.once("error", () => reject(new WeirError("AGENT_RUNNING", { node, directory: stateDir })));
    lock.listen({ path: `\0weir/${node}` }, resolve);
  });
  lock.unref();
  return {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => lock.close(() => resolve())),
  };
}

const hostAddresses = (): ReadonlySet<string> =>
  new Set(Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map(({ address }) => address) ?? []));
