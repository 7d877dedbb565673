// What the machine says about itself and about processes: CPU time, memory, versions.
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { attempt } from "../src/demo/command.ts";

/** CPU time of the whole machine, in seconds over all CPUs. */
export interface CpuReading {
  readonly at: number;
  readonly idle: number;
  readonly steal: number;
}

const ticksPerSecond = 100; // USER_HZ, the unit of /proc/stat on every architecture Weir runs on

export function readCpu(): CpuReading {
  const [, , , , idle = 0, iowait = 0, , , steal = 0] = readFileSync("/proc/stat", "utf8")
    .split("\n", 1)[0]!
    .split(/\s+/)
    .map(Number);
  return { at: performance.now() / 1000, idle: (idle + iowait) / ticksPerSecond, steal: steal / ticksPerSecond };
}

/** Seconds of CPU spent on anything, interrupts included, between two readings. */
export function busySeconds(from: CpuReading, to: CpuReading): number {
  const all = (to.at - from.at) * availableParallelism();
  return Math.max(0, all - (to.idle - from.idle) - (to.steal - from.steal));
}

/** CPU time a process has used, all its threads, in seconds; what the kernel does on its behalf in interrupts is not in it. */
export function processSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [utime = 0, stime = 0] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13)
    .map(Number);
  return (utime + stime) / ticksPerSecond;
}

/** Memory of a process and its children: proportional set size in bytes. */
export function proportionalSetSize(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const own = Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
  return children(pid).reduce((sum, child) => sum + proportionalSetSize(child), own);
}

/** Ports that listen in the network namespace of a process, IPv4. */
export function listeningPorts(pid: number): Set<number> {
  const lines = readFileSync(`/proc/${pid}/net/tcp`, "utf8").split("\n").slice(1);
  const listening = lines.map((line) => line.trim().split(/\s+/)).filter((fields) => fields[3] === "0A");
  return new Set(listening.map((fields) => Number.parseInt(fields[1]!.split(":")[1]!, 16)));
}

/** The limit of open descriptors that every process here has. */
export function descriptorLimit(): number {
  return Number(/^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? 1024);
}

/** What a reader needs to judge the figures. */
export async function describeMachine(): Promise<Record<string, string>> {
  const all = cpus();
  return {
    cpu: `${all.length} x ${all[0]?.model ?? "unknown"}`,
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    kernel: release(),
    node: process.version,
    load: readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 3).join(" "),
    descriptors: String(descriptorLimit()),
    commit: await firstLine(["git", "-C", import.meta.dirname, "describe", "--always", "--dirty", "--abbrev=12"]),
    wrk: await firstLine(["wrk", "-v"]),
    nginx: await firstLine(["/usr/sbin/nginx", "-v"]),
  };
}

/** The first line a program prints, or that it is missing. */
export async function firstLine(argv: readonly string[]): Promise<string> {
  const { stdout, stderr } = await attempt(argv).catch(() => ({ stdout: "", stderr: "not found" }));
  return (stdout || stderr).trim().split("\n")[0]!;
}

function children(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
}
