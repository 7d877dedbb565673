// How long it takes from rename(2) of a manifest to the first connection that obeys it, with many workloads loaded.
import { join } from "node:path";
import type { Bench, Measured } from "../bench.ts";
import { ports } from "../bench.ts";
import { endpointVariants, movingAddress, policyVariants } from "../manifests.ts";
import { WeirPeer } from "../peers/weir.ts";
import type { Row } from "./row.ts";

export const change: Row = {
  name: "change",
  once: true,
  figures: [
    { name: "change.workloads", title: "workloads loaded", unit: "", digits: 0 },
    { name: "change.startup", title: "agent start until ready, with them", unit: "s", digits: 2 },
    { name: "change.memory", title: "memory with them, PSS", unit: "MB", digits: 1 },
    { name: "change.rust", title: "memory with them, of it Rust", unit: "MB", digits: 2 },
    { name: "change.policyP50", title: "policy change p50", unit: "ms", digits: 1 },
    { name: "change.policyP99", title: "policy change p99", unit: "ms", digits: 1 },
    { name: "change.policyMax", title: "policy change max", unit: "ms", digits: 1 },
    { name: "change.endpointP50", title: "endpoint change p50", unit: "ms", digits: 1 },
    { name: "change.endpointP99", title: "endpoint change p99", unit: "ms", digits: 1 },
    { name: "change.endpointMax", title: "endpoint change max", unit: "ms", digits: 1 },
    { name: "change.relapses", title: "connections that disobeyed after one had obeyed", unit: "", digits: 0 },
  ],
  measures: (peer) => peer.name === "weir-large",
  async run(bench, peer) {
    if (!(peer instanceof WeirPeer)) throw new Error(`${peer.title} has no manifests to change`);
    const { pss, rust } = await peer.memory();
    // Endpoints first: the last policy in force may be the one that refuses.
    const endpoint = await time(bench, peer, movingAddress, 80, "endpoints.yaml", endpointVariants(bench));
    const policy = await time(bench, peer, bench.server.ipv4!, ports.first, "policy.yaml", policyVariants(bench));
    return {
      "change.workloads": bench.options.workloads,
      "change.startup": peer.startupSeconds,
      "change.memory": pss / 1e6,
      ...(rust === undefined ? {} : { "change.rust": rust / 1e6 }),
      ...inMilliseconds("change.policy", policy),
      ...inMilliseconds("change.endpoint", endpoint),
      "change.relapses": policy.relapses + endpoint.relapses,
    };
  },
};

/** Manifests that take turns, each with what a connection meets while it is in force. */
export type Variants = readonly { readonly file: string; readonly meets: string }[];

function time(bench: Bench, peer: WeirPeer, address: string, port: number, file: string, variants: Variants) {
  const to = ["--to", join(peer.manifests, file), "--count", `${bench.options.changes}`, "--pause", "100"];
  const files = variants.map(({ file, meets }) => `${file}=${meets}`);
  return bench.loadTool(["change", address, String(port), ...to, ...files]);
}

const inMilliseconds = (name: string, { p50, p99, max }: Measured) => ({
  [`${name}P50`]: p50 / 1e6,
  [`${name}P99`]: p99 / 1e6,
  [`${name}Max`]: max / 1e6,
});
