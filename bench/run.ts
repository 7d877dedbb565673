// The benchmark: every round measures every row with every peer in turn, so that what drifts, drifts for all.
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Bench } from "./bench.ts";
import { describeMachine } from "./machine.ts";
import { type Options, parseOptions, usage } from "./options.ts";
import { Envoy } from "./peers/envoy.ts";
import { Haproxy } from "./peers/haproxy.ts";
import { native } from "./peers/native.ts";
import type { Peer } from "./peers/peer.ts";
import { WeirPeer, weirModes } from "./peers/weir.ts";
import { type Run, renderReport } from "./report.ts";
import { Results } from "./results.ts";
import { change } from "./rows/change.ts";
import { hook } from "./rows/hook.ts";
import { memory } from "./rows/memory.ts";
import type { Row } from "./rows/row.ts";
import { eightStreams, oneStream } from "./rows/throughput.ts";
import { http, newConnections, roundTrip, roundTripOneCpu } from "./rows/transactions.ts";
import { judge } from "./targets.ts";

const allRows: readonly Row[] = [
  oneStream,
  eightStreams,
  roundTrip,
  roundTripOneCpu,
  newConnections,
  http,
  memory,
  hook,
  change,
];
const peerNames = ["native", ...weirModes.map(({ name }) => name), "envoy", "haproxy", "haproxy-splice"];
const resultsDirectory = join(import.meta.dirname, "results");

const makePeers = (bench: Bench): Peer[] => [
  native(bench),
  ...weirModes.map((mode) => new WeirPeer(bench, mode)),
  new Envoy(bench),
  new Haproxy(bench, false),
  new Haproxy(bench, true),
];

async function main(): Promise<void> {
  const options = readOptions();
  if (process.getuid?.() !== 0) throw new Error("network namespaces and eBPF need root: run this as root.");
  using _alone = await lock();
  const bench = await Bench.open(options);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      process.stderr.write("\nstopped; cleaning up\n");
      process.exit(130); // everything made cleans up after itself on "exit"
    });
  }
  try {
    const run = await measure(bench, options);
    publish(run, options);
    if (run.results.failures.length > 0) process.exitCode = 1;
  } finally {
    bench.close();
  }
}

async function measure(bench: Bench, options: Options): Promise<Run> {
  const chosen = makePeers(bench).filter(({ name, optional }) =>
    options.peers.length > 0 ? options.peers.includes(name) : !optional,
  );
  const { ready, missing } = await prepare(chosen);
  const rows = allRows.filter(({ name }) => options.rows.length === 0 || options.rows.includes(name));
  const about = { ...(await describeRun(options)), ...(await versions(ready)) };
  const results = new Results();
  for (let round = 0; round < options.rounds; round++)
    for (const row of rows)
      if (round === 0 || !row.once) await measureRow(bench, row, inTurn(ready, round), round, results);
  return { about, rows, peers: ready, missing, results };
}

// Two runs would take each other's namespaces and node names, and measure each other. An abstract socket is free again
// however its owner ends.
async function lock(): Promise<Disposable> {
  const server = createServer().listen("\0weir-bench");
  await once(server, "listening").catch(() => {
    throw new Error("another benchmark runs on this machine: wait for it to end.");
  });
  return { [Symbol.dispose]: () => server.close() };
}

async function measureRow(bench: Bench, row: Row, peers: readonly Peer[], round: number, results: Results) {
  for (const peer of peers.filter((each) => row.measures(each))) {
    process.stderr.write(`round ${round + 1}/${bench.options.rounds}  ${row.name}  ${peer.title}\n`);
    const fail = (error: unknown) => {
      const why = sentence(error);
      process.stderr.write(`  failed: ${why}\n`);
      results.fail({ round, row: row.name, peer: peer.name, why });
    };
    try {
      await peer.start();
      results.add(round, peer.name, await row.run(bench, peer));
    } catch (error) {
      fail(error);
    } finally {
      await peer.stop().catch(fail);
    }
  }
}

// Who comes first changes from round to round.
const inTurn = (peers: readonly Peer[], round: number): Peer[] => {
  const first = round % peers.length;
  return [...peers.slice(first), ...peers.slice(0, first)];
};

async function prepare(peers: readonly Peer[]) {
  const ready: Peer[] = [];
  const missing: { peer: Peer; why: string }[] = [];
  for (const peer of peers) {
    try {
      await peer.prepare();
      ready.push(peer);
    } catch (error) {
      missing.push({ peer, why: sentence(error) });
    }
  }
  return { ready, missing };
}

async function describeRun({ rounds, seconds, warmup, pin }: Options): Promise<Record<string, string>> {
  return {
    date: new Date().toISOString(),
    ...(await describeMachine()),
    method: `${rounds} rounds, ${seconds} s each after ${warmup} s, peers in turn; ratios are medians of each round's ratio`,
    threads: "2 in every proxy and every server",
    "CPU map": pin ? `client on ${pin.client}, servers on ${pin.server}, proxies anywhere` : "nothing is pinned",
  };
}

async function versions(peers: readonly Peer[]): Promise<Record<string, string>> {
  const pairs = peers.map(async (peer) => [peer.title, await peer.version()] as const);
  return Object.fromEntries(await Promise.all(pairs));
}

function publish(run: Run, options: Options): void {
  const report = renderReport(run);
  const json = `${JSON.stringify({ about: run.about, options, targets: judge(run.results).map(plain), ...run.results.toJSON() }, null, 2)}\n`;
  const name = join(resultsDirectory, `run-${run.about.date!.replaceAll(":", "-").slice(0, 19)}`);
  mkdirSync(resultsDirectory, { recursive: true });
  writeFileSync(`${name}.md`, report);
  writeFileSync(`${name}.json`, json);
  if (options.json !== undefined) writeFileSync(options.json, json);
  process.stdout.write(`${report}\nwritten to ${name}.md and .json\n`);
}

const plain = ({ target: { says, needs, bound, unit }, value, met }: ReturnType<typeof judge>[number]) => ({
  says,
  needs: `${needs} ${bound} ${unit}`,
  value,
  met: met ?? null,
});

const sentence = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ").slice(0, 400);

function readOptions(): Options {
  if (process.argv.includes("--help") || process.argv.includes("-h")) {
    process.stdout.write(
      `${usage}\nrows:  ${allRows.map(({ name }) => name).join(", ")}\npeers: ${peerNames.join(", ")}\n`,
    );
    process.exit(0);
  }
  try {
    return parseOptions(
      process.argv.slice(2),
      allRows.map(({ name }) => name),
      peerNames,
    );
  } catch (error) {
    process.stderr.write(`bench: ${sentence(error)}\n\n${usage}`);
    process.exit(2);
  }
}

await main().catch((error) => {
  process.stderr.write(`bench: ${sentence(error)}\n`);
  process.exit(1);
});
