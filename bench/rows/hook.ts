// What each kernel hook takes, by the kernel's own statistics, while short connections run through it.
import { readFileSync, writeFileSync } from "node:fs";
import { command } from "../../src/demo/command.ts";
import { ports } from "../bench.ts";
import { serviceAddress } from "../manifests.ts";
import { debianProgram } from "../programs.ts";
import type { Row } from "./row.ts";

const pins = "/sys/fs/bpf/weir/bench-1/";
const setting = "/proc/sys/kernel/bpf_stats_enabled";

// By the names of the pinned links.
const hooks = [
  { figure: "hook.connect", link: "connect4", title: "connect hook, dialling a pod" },
  { figure: "hook.sockops", link: "sockops", title: "sockops hook, each call" },
  { figure: "hook.lookup", link: "lookup", title: "lookup hook" },
  { figure: "hook.origin", link: "origin", title: "origin hook, each packet" },
] as const;

export const hook: Row = {
  name: "hook",
  figures: [
    ...hooks.map(({ figure, title }) => ({ name: figure, title, unit: "ns", digits: 0 })),
    { name: "hook.all", title: "all hooks together, each short connection", unit: "ns", digits: 0 },
    { name: "hook.connectService", title: "connect hook, dialling a Service", unit: "ns", digits: 0 },
  ],
  measures: (peer) => peer.name === "weir-direct",
  async run(bench) {
    const bpftool = await debianProgram("bpftool");
    const dial = (address: string) => bench.loadUndisturbed("connect", address, ports.once);
    return withStatistics(async () => {
      const before = await readTimes(bpftool);
      await dial(bench.server.ipv4!);
      const between = await readTimes(bpftool);
      await dial(serviceAddress);
      const after = await readTimes(bpftool);
      return {
        ...Object.fromEntries(hooks.map(({ figure, link }) => [figure, meanNs(before, between, link)])),
        "hook.all": (totalNs(between) - totalNs(before)) / runs(before, between, "connect4"),
        "hook.connectService": meanNs(between, after, "connect4"),
      };
    });
  },
};

interface Times {
  readonly ns: number;
  readonly runs: number;
}

interface Link {
  readonly prog_id: number;
  readonly pinned?: readonly string[];
}

interface Program {
  readonly id: number;
  readonly run_time_ns?: number;
  readonly run_cnt?: number;
}

// Found by the links pinned for this node, since other agents of this machine have programs of the same names. What is
// attached once for each pod or interface (lookup-COOKIE, origin-IFINDEX) is added up; a program counts once.
async function readTimes(bpftool: string): Promise<Map<string, Times>> {
  const links: Link[] = JSON.parse(await command([bpftool, "-j", "-f", "link", "show"]));
  const programs: Program[] = JSON.parse(await command([bpftool, "-j", "prog", "show"]));
  const hookOf = new Map<number, string>();
  for (const { prog_id, pinned = [] } of links)
    for (const path of pinned)
      if (path.startsWith(pins)) hookOf.set(prog_id, path.slice(path.lastIndexOf("/") + 1).replace(/-.*/, ""));
  const times = new Map<string, Times>();
  for (const { id, run_time_ns: ns = 0, run_cnt: runs = 0 } of programs) {
    const name = hookOf.get(id);
    if (name === undefined) continue;
    const sum = times.get(name) ?? { ns: 0, runs: 0 };
    times.set(name, { ns: sum.ns + ns, runs: sum.runs + runs });
  }
  return times;
}

function meanNs(before: Map<string, Times>, after: Map<string, Times>, hook: string): number {
  const from = before.get(hook);
  const to = after.get(hook);
  if (from === undefined || to === undefined || to.runs === from.runs) throw new Error(`the ${hook} hook never ran`);
  return (to.ns - from.ns) / (to.runs - from.runs);
}

const totalNs = (times: Map<string, Times>): number => [...times.values()].reduce((sum, { ns }) => sum + ns, 0);

const runs = (before: Map<string, Times>, after: Map<string, Times>, hook: string): number =>
  (after.get(hook)?.runs ?? 0) - (before.get(hook)?.runs ?? 0);

async function withStatistics<T>(measure: () => Promise<T>): Promise<T> {
  const before = readFileSync(setting, "utf8");
  const restore = () => writeFileSync(setting, before);
  process.once("exit", restore);
  writeFileSync(setting, "1");
  try {
    return await measure();
  } finally {
    restore();
    process.removeListener("exit", restore);
  }
}
