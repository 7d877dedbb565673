// Memory of a peer at rest, and what each idle connection adds.
import { setTimeout as sleep } from "node:timers/promises";
import { ports } from "../bench.ts";
import { descriptorLimit } from "../machine.ts";
import { carriesLoad, type Row } from "./row.ts";

const settleMs = 4_000;

// A proxied connection takes two descriptors, and a proxy needs some for itself.
const descriptorsKept = 1_000;

export const memory: Row = {
  name: "memory",
  figures: [
    { name: "memory.idle", title: "memory idle, PSS", unit: "MB", digits: 1 },
    { name: "memory.rust", title: "memory idle, of it Rust", unit: "MB", digits: 2 },
    { name: "memory.held", title: "idle connections held", unit: "", digits: 0 },
    { name: "memory.loaded", title: "memory with them, PSS", unit: "MB", digits: 1 },
    { name: "memory.each", title: "memory of each, PSS", unit: "B", digits: 0 },
    { name: "memory.rustEach", title: "memory of each in Rust", unit: "B", digits: 0 },
  ],
  measures: (peer) => peer.name !== "native" && carriesLoad(peer),
  async run(bench, peer) {
    await sleep(settleMs);
    const idle = await peer.memory();
    const wanted = Math.min(bench.options.connections, Math.floor((descriptorLimit() - descriptorsKept) / 2));
    const { child, held, error } = await bench.hold(peer.address, ports.echo, wanted);
    if (held < wanted) process.stderr.write(`  only ${held} of ${wanted} connections could be opened: ${error}\n`);
    await sleep(settleMs / 2);
    const loaded = await peer.memory();
    await child.stop(1_000);
    if (idle === undefined || loaded === undefined || held === 0) throw new Error("nothing could be held");
    return {
      "memory.idle": idle.pss / 1e6,
      "memory.held": held,
      "memory.loaded": loaded.pss / 1e6,
      "memory.each": (loaded.pss - idle.pss) / held,
      ...(idle.rust === undefined || loaded.rust === undefined
        ? {}
        : { "memory.rust": idle.rust / 1e6, "memory.rustEach": (loaded.rust - idle.rust) / held }),
    };
  },
};
