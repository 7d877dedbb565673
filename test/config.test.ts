import test from "ava";
import { type AgentFlags, parseAgentConfig } from "../src/config.ts";
import { WeirError } from "../src/errors.ts";

const flags: AgentFlags = { node: "n1", source: "file:/etc/weir" };

test("a node name and a source are enough, and the rest has defaults", (t) => {
  const config = parseAgentConfig(flags);
  t.is(config.stateDir, "/run/weir/n1");
  t.is(config.sourceDirectory, "/etc/weir");
  t.deepEqual(config.metricsAddress, { host: "127.0.0.1", port: 15020 });
  t.deepEqual(config.rootNamespaces, ["istio-system", "weir-system"]);
  t.is(config.dialTimeoutMs, 10_000);
  t.is(config.maxStaleMs, 3_600_000);
  t.true(Object.isFrozen(config));
});

test("an IPv6 address to listen on stands in brackets", (t) => {
  t.deepEqual(parseAgentConfig({ ...flags, hubbleAddress: "[::1]:4244" }).hubbleAddress, { host: "::1", port: 4244 });
});

const refused = test.macro({
  exec(t, wrong: AgentFlags, setting: string, why: RegExp) {
    const error = t.throws(() => parseAgentConfig({ ...flags, ...wrong }), { instanceOf: WeirError });
    t.is(error?.code, "CONFIG_INVALID");
    t.true(error?.message.startsWith(setting), error?.message);
    t.regex(error?.message ?? "", why);
  },
  title: (_, wrong: AgentFlags = {}, setting = "") =>
    `${setting} refuses ${JSON.stringify(Object.values(wrong)[0])} and says what it expects`,
});

test(refused, { node: "Node_1" }, "--node", /lower-case/);
test(refused, { node: "" }, "--node", /lower-case/);
test(refused, { source: "kube:" }, "--source", /file:DIRECTORY/);
test(refused, { stateDir: "run/weir" }, "--state-dir", /absolute/);
test(refused, { stateDir: `/${"x".repeat(100)}` }, "--state-dir", /too long/);
test(refused, { metricsAddress: "15020" }, "--metrics-address", /HOST:PORT/);
test(refused, { metricsAddress: "127.0.0.1:99999" }, "--metrics-address", /HOST:PORT/);
test(refused, { metricsAddress: "[127.0.0.1]:80" }, "--metrics-address", /HOST:PORT/);
test(refused, { dialTimeout: "10" }, "--dial-timeout", /500ms/);
test(refused, { proxyThreads: "0" }, "--proxy-threads", /from 1 to 64/);
test(refused, { podQuota: "-1" }, "--pod-quota", /whole number/);
test(refused, { logLevel: "loud" }, "--log-level", /trace, debug/);

test("a missing node name says that it is required", (t) => {
  const error = t.throws(() => parseAgentConfig({ source: "file:/x" }), { instanceOf: WeirError });
  t.regex(error?.message ?? "", /--node .*required/);
});
