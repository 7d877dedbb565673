// weir uninstall --node NAME
import { existsSync, readdirSync } from "node:fs";
import { rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { parseNode } from "../../config.ts";
import { WeirError } from "../../errors.ts";
import { uninstallDatapath } from "../../native/datapath.ts";
import { answers } from "../client.ts";
import { needRoot, type Options, withOutput } from "../command.ts";
import { Exit } from "../exit.ts";
import { json } from "../render.ts";
import type { Terminal } from "../terminal.ts";

export function define(command: Command): void {
  withOutput(command)
    .requiredOption("--node <name>", "the node whose agent left something here")
    .option("--state-dir <directory>", "its state directory; default /run/weir/NODE")
    .addHelpText("after", "\nNeeds root. Stop the agent first. Established connections of its pods stay.");
}

export async function run(_args: readonly string[], options: Options, terminal: Terminal): Promise<number> {
  const node = parseNode(options.node);
  const directory: string = options.stateDir ?? `${terminal.runDirectory}/${node}`;
  needRoot("uninstall");
  const lock = `\0weir/${node}`; // held by a running agent, wherever its state directory is
  if ((await answers(lock)) || (await answers(`${directory}/admin.sock`)))
    throw new WeirError("AGENT_RUNNING", { node, directory });
  const removed = [...uninstallDatapath(node), ...(await removeState(directory)).map((path) => `Removed ${path}.`)];
  const lines = removed.map((sentence) => `${sentence}\n`).join("");
  terminal.stdout.write(
    options.output === "json" ? json({ removed }) : lines || `There was nothing of node ${node} on this machine.\n`,
  );
  return Exit.ok;
}

/** What an agent keeps in its state directory. Nothing else is touched: the directory may be a user's. */
const stateFiles = ["admin.sock", "hubble.sock", "ids.jsonl"];

async function removeState(directory: string): Promise<string[]> {
  const files = stateFiles.map((name) => join(directory, name)).filter((file) => existsSync(file));
  for (const file of files) await rm(file);
  if (!existsSync(directory) || readdirSync(directory).length > 0) return files;
  await rmdir(directory);
  return [...files, directory];
}
