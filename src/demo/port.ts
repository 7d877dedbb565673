// Ports that agents of the demo may have.
import { once } from "node:events";
import { createServer } from "node:net";

/** The first port of 127.0.0.1, from `from` on, that nobody listens on. */
export async function freePort(from: number): Promise<number> {
  for (let port = from; port < from + 100; port++) {
    const server = createServer();
    try {
      await once(server.listen({ host: "127.0.0.1", port }), "listening");
      await once(server.close(), "close");
      return port;
    } catch {
      // Taken: the next one.
    }
  }
  throw new Error(`none of the ports ${from} to ${from + 99} of 127.0.0.1 is free; stop what holds them`);
}
