// What a command may touch of the outside: given to it, so that tests can run it in place.
import type { Writable } from "node:stream";

export interface Terminal {
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Standard output is a terminal that shows colours. */
  readonly color: boolean;
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  /** Aborted when nobody reads standard output any more, as in `weir observe | head`. */
  readonly unread: AbortSignal;
  /** Where agents keep their state directories. */
  readonly runDirectory: string;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort());
  const unread = new AbortController();
  process.stdout.on("error", () => unread.abort());
  const { NO_COLOR, TERM } = process.env;
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    color: process.stdout.isTTY === true && !NO_COLOR && TERM !== "dumb",
    signal: stop.signal,
    unread: unread.signal,
    runDirectory: "/run/weir",
  };
}
