// Test files of the root lanes share names and addresses on the machine: only one runs at a time, whoever started it.
import { createServer } from "node:net";
import { sleep } from "./eventually.ts";

/** Loaded by ava before a test file; waits for its turn. The kernel frees the name when this process ends. */
export default async function waitForTurn(): Promise<void> {
  while (!(await takeTurn())) await sleep(200);
}

function takeTurn(): Promise<boolean> {
  const turn = createServer((connection) => connection.destroy());
  return new Promise((resolve) => {
    turn.once("error", () => resolve(false));
    turn.listen({ path: "\0weir-root-tests" }, () => resolve(true));
    turn.unref();
  });
}
