// Runs short system commands; a failure is a sentence with what was run and what it said.
import { spawn } from "node:child_process";

/** Runs to the end and answers its standard output; throws when it fails. */
export async function command(argv: readonly string[], input = ""): Promise<string> {
  const { exit, stdout, stderr } = await attempt(argv, input);
  if (exit === 0) return stdout;
  throw new Error(`${argv.join(" ")} failed: ${stderr.trim() || stdout.trim() || `exit ${exit}`}`);
}

/** Runs to the end and answers what came out, however it went. */
export function attempt(
  argv: readonly string[],
  input = "",
): Promise<{ exit: number; stdout: string; stderr: string }> {
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ["pipe", "pipe", "pipe"] });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  child.stdin.on("error", () => {}); // it may end before it has read everything
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) =>
      resolve({ exit: code ?? 1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    );
  });
}

/** Prefixes a command so that it runs in a network namespace; nsenter becomes the command, so its pid is the command's. */
export const inNamespace = (netns: string | undefined, argv: readonly string[]): readonly string[] =>
  netns === undefined ? argv : ["nsenter", `--net=${netns}`, "--", ...argv];
