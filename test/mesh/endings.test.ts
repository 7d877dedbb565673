// How connections end, on every path: half-closed either way, reset either way, and with the server speaking first.
import test from "ava";
import type { NetworkPod } from "../../src/demo/network.ts";
import { Mesh } from "../helpers/mesh.ts";

const mesh = new Mesh({ prefix: "wend", octet: 83 });
test.after.always(() => mesh.dispose());

const paths = { direct: "near", proxied: "far", "pass-through": "outsider" } as const;
const servers: Record<string, NetworkPod> = {};
let client: NetworkPod;

test.before(async () => {
  client = await mesh.addPod("client", { node: "a" });
  servers.near = await mesh.addPod("near", { node: "a" });
  servers.far = await mesh.addPod("far", { node: "b" });
  servers.outsider = await mesh.addPod("outsider", { node: "b", namespace: "plain" });
  await mesh.start();
});

for (const [path, name] of Object.entries(paths))
  for (const family of ["ipv4", "ipv6"] as const) {
    const where = `on the ${path} path over ${family}`;
    const serve = (mode: string, flags: readonly string[] = []) => mesh.lab.serve(servers[name], mode, flags);
    const dial = (port: number, ...flags: string[]) => mesh.lab.dial(client, servers[name]![family]!, port, flags);

    test(`a client that ends its side still gets the whole answer ${where}`, async (t) => {
      const { port } = await serve("verify");
      t.like(await dial(port, "--send", "3000000", "--line"), { line: "3000000 exact", end: "eof", errno: "OK" });
    });

    test(`a server that ends its side still gets all the client sends ${where}`, async (t) => {
      const { server, port } = await serve("halfclose");
      t.like(await dial(port, "--after-end", "3000000"), { result: "ok", end: "eof" });
      await server.line(/"received":3000000,"exact":true,"end":"eof"/);
    });

    test(`a server that speaks first is heard ${where}`, async (t) => {
      const { port } = await serve("source", ["-n", "2000000"]);
      t.like(await dial(port, "--end", "read"), { result: "ok", received: 2_000_000, exact: true, end: "eof" });
    });

    test(`a reset by the server reaches the client as a reset ${where}`, async (t) => {
      const { port } = await serve("reset");
      t.like(await dial(port, "--send", "100", "--end", "read"), { errno: "ECONNRESET", end: "reset" });
    });

    test(`a reset by the client reaches the server as a reset ${where}`, async (t) => {
      const { server, port } = await serve("discard");
      await dial(port, "--send", "100", "--end", "reset", "--hold", "100");
      await server.line(/"end":"ECONNRESET"/);
      t.pass();
    });

    test(`an idle connection stays open ${where}`, async (t) => {
      const { port } = await serve("echo");
      t.like(await dial(port, "--send", "10", "--hold", "1000"), { result: "ok", received: 10, end: "eof" });
    });
  }
