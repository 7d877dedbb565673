// The two pods and the network between them, with nothing in it.
import type { Bench } from "../bench.ts";
import type { Peer } from "./peer.ts";

export const native = (bench: Bench): Peer => ({
  name: "native",
  title: "native",
  address: bench.server.ipv4!,
  pids: [],
  prepare: async () => {},
  version: async () => "the same pods, nothing between them",
  start: async () => {},
  stop: async () => {},
  memory: async () => undefined,
});
