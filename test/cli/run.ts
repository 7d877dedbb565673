// Runs weir commands in place and keeps what they wrote.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { run } from "../../src/cli/main.ts";

export interface Outcome {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Where agents are looked for; default: an empty directory. */
  readonly runDirectory?: string;
  readonly color?: boolean;
  /** Stops the command as Ctrl-C does, once it has written this many lines. */
  readonly stopAfterLines?: number;
}

export const emptyDirectory = (): string => mkdtempSync(join(tmpdir(), "weir-cli-"));

export async function weir(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const written = { stdout: "", stderr: "" };
  const stop = new AbortController();
  const into = (name: "stdout" | "stderr") =>
    new Writable({
      write(chunk, _encoding, done) {
        written[name] += chunk;
        if (written.stdout.split("\n").length > (options.stopAfterLines ?? Infinity)) stop.abort();
        done();
      },
    });
  const exit = await run(args, {
    stdout: into("stdout"),
    stderr: into("stderr"),
    color: options.color ?? false,
    signal: stop.signal,
    unread: new AbortController().signal,
    runDirectory: options.runDirectory ?? emptyDirectory(),
  });
  return { exit, ...written };
}
