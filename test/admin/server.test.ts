import { existsSync, mkdtempSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { AdminServer } from "../../src/admin/server.ts";
import { testAgent } from "./agent.ts";

const newSocket = () => join(mkdtempSync(join(tmpdir(), "weir-admin-")), "admin.sock");

async function serve(t: ExecutionContext, socket = newSocket()) {
  const agent = testAgent();
  const server = new AdminServer({ sources: agent, socket, metrics: { host: "127.0.0.1", port: 0 } });
  await server.listen();
  t.teardown(() => server.close());
  const url = (path: string) => `http://127.0.0.1:${server.metricsPort}${path}`;
  return { agent, server, socket, url };
}

const overSocket = (socketPath: string, path: string): Promise<string> =>
  new Promise((resolve, reject) => {
    request({ socketPath, path }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve(text);
    })
      .once("error", reject)
      .end();
  });

test("the socket answers the admin interface, and only root may use it", async (t) => {
  const { socket } = await serve(t);
  t.is(JSON.parse(await overSocket(socket, "/status")).node, "a");
  t.is(statSync(socket).mode & 0o777, 0o600);
});

test("the metrics address answers metrics and health, and nothing else", async (t) => {
  const { agent, url } = await serve(t);
  const metrics = await fetch(url("/metrics"));
  t.is(await metrics.text(), "weir_up 1\n");
  t.is(metrics.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  t.is((await fetch(url("/healthz/live"))).status, 200);
  t.is((await fetch(url("/healthz/ready"))).status, 200);
  agent.ready = false;
  const missing = await fetch(url("/healthz/ready"));
  t.is(missing.status, 503);
  t.is(await missing.text(), "not ready: no configuration is in force yet\n");
  t.is((await fetch(url("/status"))).status, 404);
  t.is((await fetch(url("/metrics"), { method: "POST" })).status, 405);
});

test("a stream of flows goes on until its reader leaves, and does not hold up the end", async (t) => {
  const { server, socket } = await serve(t);
  const lines = await new Promise<string>((resolve) => {
    request({ socketPath: socket, path: "/flows?follow=true&last=3" }, (response) => {
      let text = "";
      response.on("error", () => {});
      response.on("data", (chunk) => {
        text += chunk;
        if (text.split("\n").length === 4) resolve(text);
      });
    }).end();
  });
  t.is(lines.split("\n").length, 4);
  const before = Date.now();
  await server.close();
  t.true(Date.now() - before < 2_000);
  t.false(existsSync(socket));
});

test("the socket of a dead agent is taken over, that of a living one is not", async (t) => {
  const socket = newSocket();
  writeFileSync(socket, "");
  await serve(t, socket);
  const second = new AdminServer({ sources: testAgent(), socket, metrics: { host: "127.0.0.1", port: 0 } });
  await t.throwsAsync(second.listen(), { message: /already running/ });
  t.is(JSON.parse(await overSocket(socket, "/status")).node, "a");
});

test("a metrics address that is taken is an error with a sentence, and the socket is not opened", async (t) => {
  const { server } = await serve(t);
  const socket = newSocket();
  const metrics = { host: "127.0.0.1", port: server.metricsPort };
  const second = new AdminServer({ sources: testAgent(), socket, metrics });
  await t.throwsAsync(second.listen(), { message: /cannot listen on 127\.0\.0\.1:\d+/ });
  t.false(existsSync(socket));
});
