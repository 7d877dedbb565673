// Where the process begins, and ends: the exit code is set, so that what is written gets out first.
import { run } from "./cli/main.ts";
import { processTerminal } from "./cli/terminal.ts";

process.exitCode = await run(process.argv.slice(2), processTerminal());
