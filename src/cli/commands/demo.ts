// weir demo: two nodes and a small shop in network namespaces, live or asserted.
import { checkDemo } from "../../demo/check.ts";
import { runDemo } from "../../demo/demo.ts";
import type { CommandModule } from "../command.ts";

export const { define, run }: CommandModule = {
  define(command) {
    command.option("--check", "run it unattended for a minute at most, assert it from outside, and exit 0 or 1");
  },
  run(_args, options, terminal) {
    const print = (line: string) => void terminal.stdout.write(`${line}\n`);
    return options.check ? checkDemo(print) : runDemo({ print, stop: terminal.signal, color: terminal.color });
  },
};
