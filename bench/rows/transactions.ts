// Small things, many of them: round trips of one byte, short connections, HTTP requests.
import { type Bench, type Measured, ports } from "../bench.ts";
import { busySeconds, readCpu } from "../machine.ts";
import type { Peer } from "../peers/peer.ts";
import { carriesLoad, type Row } from "./row.ts";

const roundTrips = (name: string, title: string, measure: (bench: Bench, peer: Peer) => Promise<Measured>): Row => ({
  name,
  figures: [
    { name: `${name}.p50`, title: `${title} p50`, unit: "µs", digits: 1 },
    { name: `${name}.p99`, title: `${title} p99`, unit: "µs", digits: 1 },
    { name: `${name}.cpu`, title: `${title}: CPU of the machine`, unit: "s/1000", digits: 4 },
  ],
  measures: carriesLoad,
  async run(bench, peer) {
    const { p50, p99, busySeconds, count } = refuseErrors(await measure(bench, peer));
    return { [`${name}.p50`]: p50 / 1e3, [`${name}.p99`]: p99 / 1e3, [`${name}.cpu`]: (busySeconds / count) * 1e3 };
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
    { name: "connect.cpu", title: "new connections: CPU of the machine", unit: "s/1000", digits: 4 },
  ],
  measures: carriesLoad,
  async run(bench, peer) {
    const measured = refuseErrors(await bench.load("connect", peer.address, ports.once, ["--connections", "8"]));
    return {
      "connect.rate": measured.count / measured.seconds,
      "connect.p99": measured.p99 / 1e3,
      "connect.cpu": (measured.busySeconds / measured.count) * 1e3,
    };
  },
};

/** wrk with 32 kept-alive connections against nginx. */
export const http: Row = {
  name: "http",
  figures: [
    { name: "http.rate", title: "HTTP keep-alive", unit: "requests/s", digits: 0 },
    { name: "http.p99", title: "HTTP keep-alive p99", unit: "ms", digits: 2 },
    { name: "http.cpu", title: "HTTP keep-alive: CPU of the machine", unit: "s/1000", digits: 4 },
  ],
  measures: carriesLoad,
  async run(bench, peer) {
    const { seconds, warmup } = bench.options;
    await wrk(bench, peer.address, Math.max(1, Math.round(warmup)));
    const before = readCpu();
    const said = await wrk(bench, peer.address, Math.max(1, Math.round(seconds)));
    const busy = busySeconds(before, readCpu());
    return { "http.rate": said.rate, "http.p99": said.p99, "http.cpu": (busy / said.requests) * 1e3 };
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
