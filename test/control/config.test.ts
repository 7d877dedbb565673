import test from "ava";
import { type ControlFlags, parseControlConfig } from "../../src/control/config.ts";
import { WeirError } from "../../src/errors.ts";

const flags: ControlFlags = { source: "file:/etc/weir" };

test("a source is enough, and the rest has defaults", (t) => {
  const config = parseControlConfig(flags);
  t.like(config, { caDir: "/var/lib/weir/ca", caFiles: undefined, trustDomain: "cluster.local", ttl: 86_400 });
  t.is(config.maxTtl, 90 * 86_400);
  t.deepEqual(config.listen, { host: "127.0.0.1", port: 15_012 });
  t.deepEqual(config.serverNames, ["weir-control.weir-system.svc", "localhost", "127.0.0.1"]);
  t.true(Object.isFrozen(config));
});

test("a service on every address is also called by those of this machine", (t) => {
  const { serverNames } = parseControlConfig({ ...flags, listen: "[::]:15012", serverNames: "ca.example,10.0.0.1" });
  t.deepEqual(serverNames, ["ca.example", "10.0.0.1", "127.0.0.1", "::1"]);
});

for (const [wrong, setting] of [
  [{ source: "kubernetes" }, "--source"],
  [{ caDir: "ca" }, "--ca-dir"],
  [{ listen: "15012" }, "--listen"],
  [{ trustDomain: "Cluster.local" }, "--trust-domain"],
  [{ trustDomain: "a/b" }, "--trust-domain"],
  [{ ttl: "100ms" }, "--ttl"],
  [{ ttl: "48h", maxTtl: "24h" }, "--ttl"],
  [{ maxTtl: "2161h" }, "--max-ttl"],
  [{ serverNames: "a b" }, "--server-names"],
] as const satisfies readonly (readonly [ControlFlags, string])[]) {
  test(`${setting} refuses ${JSON.stringify(wrong)}`, (t) => {
    const error = t.throws(() => parseControlConfig({ ...flags, ...wrong }), { instanceOf: WeirError });
    t.is(error?.code, "CONFIG_INVALID");
    t.true(error?.message.startsWith(setting), error?.message);
  });
}
