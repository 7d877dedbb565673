// What every pod of the demo runs: a small HTTP service, a client with a timer, or both.
//
//   workload.ts [--listen PORT] [--every MS] [--call NAME=ADDRESS:PORT]...
//
// A service answers with who it saw and what its own calls gave; a client prints a JSON line for each round of calls.
// Each call is a connection of its own.
import { createServer, get } from "node:http";
import { parseArgs } from "node:util";

/** What one call gave: "ok", or the error. */
interface Outcome {
  readonly name: string;
  readonly outcome: string;
}

const { values } = parseArgs({
  options: {
    listen: { type: "string" },
    every: { type: "string" },
    call: { type: "string", multiple: true, default: [] },
  },
});

const calls = values.call.map((text) => {
  const [name = "", address = ""] = text.split("=");
  return { name, url: `http://${address}/` };
});

if (values.listen !== undefined)
  createServer(async (request, response) => {
    // Of the address alone: who called, as this process sees it.
    const peer = request.socket.remoteAddress?.replace("::ffff:", "");
    const body = JSON.stringify({ peer, calls: await callAll() });
    response.writeHead(200, { "content-type": "application/json", connection: "close" }).end(body);
  }).listen(Number(values.listen), "::", () => console.log("READY"));

if (values.every !== undefined)
  setInterval(async () => console.log(JSON.stringify(await callAll())), Number(values.every));

function callAll(): Promise<Outcome[]> {
  return Promise.all(calls.map(async ({ name, url }) => ({ name, outcome: await call(url) })));
}

function call(url: string): Promise<string> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 2_000 }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode === 200 ? "ok" : `status ${response.statusCode}`));
    });
    request.on("timeout", () => request.destroy(new Error("no answer in 2 s")));
    request.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}
