// The command line: parse, dispatch, print the error once.
import { Command, CommanderError } from "commander";
import { packageVersion } from "../version.ts";
import { type CommandModule, commands, loadCommand } from "./command.ts";
import { Exit, exitHelp, exitOf } from "./exit.ts";
import type { Terminal } from "./terminal.ts";

/** Runs `weir ARGUMENTS`; answers the exit code. Never throws. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(argv, terminal);
  } catch (error) {
    return report(error, argv, terminal);
  }
}

async function dispatch(argv: readonly string[], terminal: Terminal): Promise<number> {
  let exit: number = Exit.ok;
  const program = newProgram(terminal);
  const asked = argv.find((argument) => !argument.startsWith("-") && argument !== "help");
  for (const [name, summary] of Object.entries(commands)) {
    const command = program.command(name).description(summary).addHelpText("after", `\n${exitHelp}`);
    if (name !== asked) continue;
    const module: CommandModule = await loadCommand(name);
    module.define(command);
    command.action(async () => {
      exit = await module.run(command.args, command.opts(), terminal, command);
    });
  }
  await program.parseAsync([...argv], { from: "user" });
  return exit;
}

function newProgram(terminal: Terminal): Command {
  return new Command("weir")
    .description("Weir: a service mesh in the node, with nothing injected into pods")
    .version(packageVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, "weir: ")),
    })
    .showHelpAfterError("Run the command with --help to see what it takes.")
    .addHelpText("after", `\n${exitHelp}`);
}

function report(error: unknown, argv: readonly string[], terminal: Terminal): number {
  if (error instanceof CommanderError) {
    const shown = ["commander.helpDisplayed", "commander.help", "commander.version"].includes(error.code);
    return shown && error.exitCode === 0 ? Exit.ok : Exit.usage;
  }
  const { code, message, next } = describe(error);
  if (/(^| )(-o|--output)[ =]?json/.test(argv.join(" ")))
    terminal.stderr.write(`${JSON.stringify({ code, message, next })}\n`);
  else terminal.stderr.write(`weir: ${message}\n${next === "" ? "" : `  ${next}\n`}`);
  return exitOf(code);
}

// Errors of the catalogue and answers of the agent have a code and what to do next; others are faults of this program.
function describe(error: unknown): { code: string; message: string; next: string } {
  const { code = "INTERNAL", message = String(error), next = "" } = error as Partial<Record<string, string>>;
  return { code, message, next };
}
