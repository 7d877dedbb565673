// Small things, many of them: round trips of one byte, short connections, HTTP requests.
import { type Bench, type Measured, ports } from "../bench.ts";
import { busySeconds, readCpu } from "../machine.ts";
import type { Peer } from "../peers/peer.ts";
import { carriesLoad, type Figure, type Row, withOwnCpus } from "./row.ts";

const cpuFigures = (name: string, title: string): Figure[] => [
  { name: `${name}.cpu`, title: `${title}: CPU of the machine`, unit: "s/1000", digits: 4 },
  { name: `${name}.own`, title: `${title}: CPU of the peer's processes`, unit: "s/1000", digits: 4 },
];

const cpuValues = (name: string, count: number, seconds: number, busySeconds: number, ownCpus: number) => ({
  [`${name}.cpu`]: (busySeconds / count) * 1e3,
  [`${name}.own`]: ((ownCpus * seconds) / count) * 1e3,
});

const roundTrips = (name: string, title: string, measure: (bench: Bench, peer: Peer) => Promise<Measured>): Row => ({
  name,
  figures: [
    { name: `${name}.p50`, title: `${title} p50`, unit: "µs", digits: 1 },
    { name: `${name}.p99`, title: `${title} p99`, unit: "µs", digits: 1 },
    ...cpuFigures(name, title),
  ],
  measures: carriesLoad,
  async run(bench, peer) {
    const [measured, ownCpus] = await withOwnCpus(peer, () => measure(bench, peer));
    const { p50, p99, busySeconds, count, seconds } = refuseErrors(measured);
    return {
      [`${name}.p50`]: p50 / 1e3,
      [`${name}.p99`]: p99 / 1e3,
      ...cpuValues(name, count, seconds, busySeconds, ownCpus),
    };
  },
});

/** One connection, one byte there and one byte back. Where the scheduler puts both ends makes most of the figure. */
export const roundTrip: Row = roundTrips("roundtrip", "TCP round trip", (bench, peer) =>
  bench.load("roundtrip", peer.address, ports.echo),
);

/** The same with everything on one CPU: what the path itself costs, and hardly varies. */
export const roundTripOneCpu: Row = roundTrips("roundtrip-cpu0", "TCP round trip on one CPU", (bench, peer) =>
  bench.loadOnOneCpu("roundtrip", peer.address, ports.echo, peer.pids),
);

/** Eight clients, each: connect, one byte there and back, close. */
export const newConnections: Row = {
  name: "connect",
  figures: [
    { name: "connect.rate", title: "new connections", unit: "1/s", digits: 0 },
    { name: "connect.p99", title: "new connection, whole life p99", unit: "µs", digits: 0 },
    ...cpuFigures("connect", "new connections"),
  ],
  measures: carriesLoad,
  async run(bench, peer) {
    const load = () => bench.load("connect", peer.address, ports.once, ["--connections", "8"]);
    const [measured, ownCpus] = await withOwnCpus(peer, load);
    const { count, seconds, p99, busySeconds } = refuseErrors(measured);
    return {
      "connect.rate": count / seconds,
      "connect.p99": p99 / 1e3,
      ...cpuValues("connect", count, seconds, busySeconds, ownCpus),
    };
  },
};

/** wrk with 32 kept-alive connections against nginx. */
export const http: Row = {
  name: "http",
  figures: [
    { name: "http.rate", title: "HTTP keep-alive", unit: "requests/s", digits: 0 },
    { name: "http.p99", title: "HTTP keep-alive p99", unit: "ms", digits: 2 },
    ...cpuFigures("http", "HTTP keep-alive"),
  ],
  measures: carriesLoad,
  async run(bench, peer) {
    const { seconds, warmup } = bench.options;
    await wrk(bench, peer.address, Math.max(1, Math.round(warmup)));
    const before = readCpu();
    const load = () => wrk(bench, peer.address, Math.max(1, Math.round(seconds)));
    const [said, ownCpus] = await withOwnCpus(peer, load);
    const busy = busySeconds(before, readCpu());
    return {
      "http.rate": said.rate,
      "http.p99": said.p99,
      ...cpuValues("http", said.requests, said.requests / said.rate, busy, ownCpus),
    };
  },
};

async function wrk(bench: Bench, address: string, seconds: number) {
  const flags = ["-t2", "-c32", `-d${seconds}s`, "--latency"];
  const text = (await bench.run([bench.wrk, ...flags, `http://${address}:${ports.http}/`])).join("\n");
  if (/Socket errors|Non-2xx/.test(text)) throw new Error(`wrk met errors: ${text}`);
  const latency = /99%\s+([\d.]+)(us|ms|s)/.exec(text);
  return {
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]),
    requests: Number(/(\d+) requests in/.exec(text)?.[1]),
    p99: Number(latency?.[1]) * { us: 1e-3, ms: 1, s: 1e3 }[(latency?.[2] ?? "s") as "us" | "ms" | "s"],
  };
}

function refuseErrors(measured: Measured): Measured {
  if (measured.errors === 0 && measured.count > 0) return measured;
  throw new Error(`${measured.errors} of ${measured.count + measured.errors} failed, last: ${measured.lastError}`);
}
