// Runs test lanes one after the other, shows their output, and closes with one count over all of them.
//
//   node scripts/lanes.ts LANE...      exit 1 when anything failed, or a lane ran nothing
//
// With WEIR_TALLY=FILE the count of each lane is appended there, so that a caller can add up several runs.
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { countAva, countCargo, countClosingLine, countSteps, type Tally } from "./tally.ts";

interface Lane {
  readonly says: string;
  /** Run in order; a lane goes on after a failed command, so that one run shows everything. */
  readonly commands: readonly string[];
  readonly count: (outputs: readonly string[], exits: readonly number[]) => Tally;
}

const avaRoot = "ava --config ava.root.config.js";

const lanes: Record<string, Lane> = {
  unit: { says: "TypeScript, no root", commands: ["ava"], count: countAva },
  rust: {
    says: "node proxy and evaluator",
    commands: ["cargo test --manifest-path native/proxy/Cargo.toml --workspace --quiet"],
    count: countCargo,
  },
  kernel: { says: "real eBPF", commands: [`${avaRoot} 'test/kernel/**/*.test.ts'`], count: countAva },
  mesh: {
    says: "whole agents, namespaces as pods",
    commands: [`${avaRoot} 'test/mesh/**/*.test.ts'`],
    count: countAva,
  },
  lint: {
    says: "formatters, linters and type checkers of every language",
    commands: [
      "biome check --error-on-warnings",
      "tsc --noEmit",
      "cargo fmt --manifest-path native/proxy/Cargo.toml --all --check",
      "cargo clippy --manifest-path native/proxy/Cargo.toml --workspace --all-targets --quiet -- -D warnings",
      "make --no-print-directory -s format-check",
    ],
    count: countSteps,
  },
  fuzz: {
    says: "property tests of the node proxy, more cases",
    commands: ["PROPTEST_CASES=8192 cargo test --manifest-path native/proxy/Cargo.toml --workspace --quiet"],
    count: countCargo,
  },
  demo: { says: "the demo, asserted from outside", commands: ["bin/weir demo --check"], count: countClosingLine },
};

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => lanes[name] === undefined);
if (chosen.length === 0 || unknown.length > 0) {
  console.error(`lanes: ${unknown.join(", ") || "nothing"} asked for; there are ${Object.keys(lanes).join(", ")}.`);
  process.exit(2);
}

const total: Tally = { passed: 0, failed: 0 };
const summary: string[] = [];
for (const name of chosen) {
  const lane = lanes[name]!;
  console.log(`\n== ${name}: ${lane.says}`);
  const started = performance.now();
  const tally = refuseNothing(await run(lane));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  summary.push(
    `${name.padEnd(8)} ${String(tally.passed).padStart(5)} passed ${String(tally.failed).padStart(3)} failed ${String(tally.skipped ?? 0).padStart(3)} skipped  ${seconds} s`,
  );
  if (process.env.WEIR_TALLY)
    appendFileSync(
      process.env.WEIR_TALLY,
      `${name} ${tally.passed} ${tally.failed} ${tally.skipped ?? 0} ${seconds}\n`,
    );
  total.passed += tally.passed;
  total.failed += tally.failed;
}

console.log(`\n== summary\n${summary.join("\n")}\n\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;

async function run(lane: Lane): Promise<Tally> {
  const outputs: string[] = [];
  const exits: number[] = [];
  for (const command of lane.commands) {
    const { output, exit } = await shell(command);
    outputs.push(output);
    exits.push(exit);
  }
  const tally = lane.count(outputs, exits);
  const silent = tally.failed === 0 && exits.some((exit) => exit !== 0);
  return silent ? { ...tally, failed: 1 } : tally;
}

/** A lane that ran nothing has failed: an empty green lane hides what it should have shown. */
function refuseNothing(tally: Tally): Tally {
  if (tally.passed + tally.failed > 0) return tally;
  console.log("this lane ran nothing, which counts as a failure");
  return { passed: 0, failed: 1 };
}

function shell(command: string): Promise<{ output: string; exit: number }> {
  console.log(`-- ${command}`);
  const child = spawn("sh", ["-c", command], { stdio: ["ignore", "pipe", "pipe"] });
  const chunks: Buffer[] = [];
  for (const [stream, sink] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ] as const) {
    stream.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      sink.write(chunk);
    });
  }
  return new Promise((resolve) => {
    child.on("close", (code) => resolve({ output: Buffer.concat(chunks).toString(), exit: code ?? 1 }));
  });
}
