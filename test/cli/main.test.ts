import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test from "ava";
import { commands } from "../../src/cli/command.ts";
import { Exit, exitHelp } from "../../src/cli/exit.ts";
import { emptyDirectory, weir } from "./run.ts";

const bin = resolve(import.meta.dirname, "../../bin/weir");

test("--help lists every command and the exit codes", async (t) => {
  const { exit, stdout } = await weir(["--help"]);
  t.is(exit, 0);
  for (const [name, summary] of Object.entries(commands))
    t.regex(stdout, new RegExp(`^ +${name} .*${summary.slice(0, 20)}`, "m"));
  t.true(stdout.includes(exitHelp));
});

for (const name of ["status", "get", "observe", "why"]) {
  test(`weir ${name} --help tells its options without an agent`, async (t) => {
    const { exit, stdout } = await weir([name, "--help"]);
    t.is(exit, 0);
    t.regex(stdout, /--server <socket>/);
    t.true(stdout.includes(exitHelp));
  });
}

for (const [what, args] of Object.entries({
  "an unknown command": ["frobnicate"],
  "an unknown flag": ["status", "--frobnicate"],
  "a missing argument": ["get"],
  "a kind that cannot be listed": ["get", "secrets"],
  "a format that does not exist": ["status", "-o", "xml"],
  "why about nothing": ["why"],
  "why about a flow and ends": ["why", "a-1", "--from", "a/b", "--to", "a/b:1"],
  "why about one end": ["why", "--from", "a/b"],
  "contradicting numbers": ["observe", "--first", "1", "--follow"],
  "a number that is none": ["observe", "--last", "many"],
  "a time that is none": ["observe", "--since", "yesterday"],
  "a node that cannot be one": ["uninstall", "--node", "../x"],
  "a verdict that does not exist": ["observe", "--verdict", "maybe"],
  "--not with nothing to take away": ["observe", "--not"],
  "both ends and either end": ["observe", "--pod", "a/b", "--from-pod", "a/c"],
})) {
  test(`${what} is wrong usage`, async (t) => {
    const { exit, stderr } = await weir(args);
    t.is(exit, Exit.usage);
    t.regex(stderr, /^weir: /);
    t.notRegex(stderr, /\n {4}at /);
  });
}

test("without an agent the reader is told where it was looked for and how to start one", async (t) => {
  const runDirectory = emptyDirectory();
  const { exit, stderr } = await weir(["status"], { runDirectory });
  t.is(exit, Exit.agentUnreachable);
  t.is(
    stderr,
    `weir: no agent answers on ${runDirectory}/*/admin.sock: there is no such socket\n  Start weir agent, or name its socket with --server.\n`,
  );
});

const asRoot = process.geteuid?.() === 0 ? test : test.skip;

test("--version tells which Weir this is", async (t) => {
  const { exit, stdout } = await weir(["--version"]);
  t.is(exit, Exit.ok);
  t.regex(stdout, /^\d+\.\d+\.\d+\n$/);
});

asRoot("an agent whose source cannot be read says so and touches nothing, because it knows nothing yet", async (t) => {
  const directory = `${emptyDirectory()}/missing`;
  const { exit, stderr } = await weir(["agent", "--node", "nowhere", "--source", `file:${directory}`]);
  t.is(exit, Exit.failed);
  t.regex(stderr, /^weir: the directory \S+\/missing cannot be read: ENOENT/);
});

test("a socket that nobody answers on, or that does not exist, is said so", async (t) => {
  const runDirectory = emptyDirectory();
  mkdirSync(join(runDirectory, "a"));
  writeFileSync(join(runDirectory, "a/admin.sock"), "");
  const dead = await weir(["status"], { runDirectory });
  t.is(dead.exit, Exit.agentUnreachable);
  t.regex(dead.stderr, /a\/admin\.sock: it is not running/);
  const missing = await weir(["status", "--server", "/nonexistent/admin.sock"]);
  t.is(missing.exit, Exit.agentUnreachable);
  t.regex(missing.stderr, /there is no such socket/);
});

test("of several agents one has to be chosen, and they are listed", async (t) => {
  const runDirectory = emptyDirectory();
  const servers = ["a", "b"].map((node) => {
    mkdirSync(join(runDirectory, node));
    return createServer().listen(join(runDirectory, node, "admin.sock"));
  });
  const { exit, stderr } = await weir(["status"], { runDirectory });
  for (const server of servers) server.close();
  t.is(exit, Exit.usage);
  t.true(stderr.includes(`--server: ${runDirectory}/a/admin.sock, ${runDirectory}/b/admin.sock`));
});

test("an error for programs is a line of JSON on standard error", async (t) => {
  const { stderr } = await weir(["status", "-o", "json"]);
  t.like(JSON.parse(stderr), { code: "AGENT_UNREACHABLE" });
});

test("docs/cli.md tells every command and the exit codes", (t) => {
  const page = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");
  t.deepEqual(
    Object.keys(commands).filter((name) => !page.includes(`weir ${name}`)),
    [],
  );
  t.deepEqual(
    Object.values(Exit).filter((code) => !page.includes(`| ${code} |`)),
    [],
  );
});

test("bin/weir says what to do in a tree that is not set up, also through a link", (t) => {
  const tree = mkdtempSync(join(tmpdir(), "weir-bin-"));
  mkdirSync(join(tree, "bin"));
  writeFileSync(join(tree, "bin/weir"), readFileSync(bin), { mode: 0o755 });
  symlinkSync(join(tree, "bin/weir"), join(tree, "link"));
  const { status, stderr } = spawnSync(join(tree, "link"), ["status"], { encoding: "utf8" });
  t.is(status, 1);
  t.true(stderr.endsWith(`is missing: run "npm run setup" in ${tree}\n`), stderr);
});

test("the scripts under bin are valid shell", (t) => {
  t.notThrows(() => execFileSync("sh", ["-n", bin]));
});
