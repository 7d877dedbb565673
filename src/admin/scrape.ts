// /metrics and /healthz, for machines that ask often: plain HTTP without the admin interface's framework.
import type { IncomingMessage, ServerResponse } from "node:http";
import { contentType } from "../metrics/exposition.ts";
import type { ScrapeSources } from "./sources.ts";

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** A request listener. */
export const scrape =
  (sources: ScrapeSources) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    const { status, type, body } = answer(sources, request);
    response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
    response.end(request.method === "HEAD" ? undefined : body);
  };

function answer(sources: ScrapeSources, request: IncomingMessage): Answer {
  if (request.method !== "GET" && request.method !== "HEAD") return plain(405, "only GET is answered here");
  switch (request.url?.split("?")[0]) {
    case "/metrics":
      return { status: 200, type: contentType, body: sources.metrics() };
    case "/healthz/ready":
      return readiness(sources.notReady());
    case "/healthz/live":
      return plain(200, "alive");
    default:
      return plain(404, "there are /metrics, /healthz/ready and /healthz/live");
  }
}

const readiness = (missing: string | undefined): Answer =>
  missing === undefined ? plain(200, "ready") : plain(503, `not ready: ${missing}`);

const plain = (status: number, sentence: string): Answer => ({
  status,
  type: "text/plain; charset=utf-8",
  body: `${sentence}\n`,
});
