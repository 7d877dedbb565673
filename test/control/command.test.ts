import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { weir } from "../cli/run.ts";
import { scratch } from "../helpers/resources.ts";

const main = new URL("../../src/main.ts", import.meta.url).pathname;

test("weir control serves until SIGTERM and then ends well, with its log on standard error", async (t) => {
  const directory = scratch(t);
  mkdirSync(join(directory, "source"));
  const flags = ["--source", `file:${directory}/source`, "--ca-dir", `${directory}/ca`, "--listen", "127.0.0.1:0"];
  const child = spawn(process.execPath, [main, "control", ...flags, "--metrics-address", "127.0.0.1:0"]);
  t.teardown(() => child.kill("SIGKILL"));
  let log = "";
  child.stderr.on("data", (chunk) => {
    log += chunk;
    if (log.includes('"the authority is ready"')) child.kill("SIGTERM");
  });
  t.deepEqual(await once(child, "close"), [0, null], log);
  for (const line of log
    .trimEnd()
    .split("\n")
    .filter((text) => text.startsWith("{")))
    t.notThrows(() => JSON.parse(line));
});

test("weir control --rotate-root begins a rotation, and finds it when asked again", async (t) => {
  const directory = join(scratch(t), "ca");
  mkdirSync(directory, { mode: 0o700 });
  const first = await weir(["control", "--rotate-root", "--ca-dir", directory]);
  t.is(first.exit, 0, first.stderr);
  t.regex(first.stdout, /^Peers are told of the new root from now on; it signs from \d{4}-.*Z\.\n$/);
  t.is((await weir(["control", "--rotate-root", "--ca-dir", directory])).stdout, first.stdout);
});

test("weir control says what is wrong with where its authority is kept", async (t) => {
  const missing = await weir(["control", "--rotate-root", "--ca-dir", "/nonexistent/ca"]);
  t.is(missing.exit, 4);
  const given = await weir(["control", "--rotate-root", "--ca-files", "/etc/ca"]);
  t.is(given.exit, 2);
  t.regex(given.stderr, /somebody else's/);
  const nothing = await weir(["control"]);
  t.is(nothing.exit, 2);
  t.regex(nothing.stderr, /--source/);
});

test("a given authority that cannot be used is an error of the start", async (t) => {
  const directory = scratch(t);
  const places = ["--ca-dir", `${directory}/ca`, "--ca-files", `${directory}/none`, "--listen", "127.0.0.1:0"];
  const flags = [
    "--source",
    `file:${directory}`,
    ...places,
    "--metrics-address",
    "127.0.0.1:0",
    "--log-level",
    "silent",
  ];
  const { exit, stderr } = await weir(["control", ...flags]);
  t.is(exit, 1);
  t.regex(stderr, /the certificate authority in .*\/none cannot be used: ca\.crt: /);
});
