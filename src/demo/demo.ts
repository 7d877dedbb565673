// `weir demo`: the shop with steady traffic, a live view of its flows, and what to try next. Ends with Ctrl-C.
import { once } from "node:events";
import { type Agent, weir } from "./agent.ts";
import { Child } from "./child.ts";
import { introduction } from "./introduction.ts";
import { Shop } from "./shop.ts";
import { viewHeader, viewLine } from "./view.ts";

export interface DemoOptions {
  /** Where lines go; standard output in the end. */
  readonly print: (line: string) => void;
  readonly color: boolean;
  /** Ends the demo. */
  readonly stop: AbortSignal;
}

/** Runs until it is stopped, and answers the exit code. */
export async function runDemo({ print, color, stop }: DemoOptions): Promise<number> {
  print("weir demo: two agents, eight pods, a minute of your time. Making network namespaces and loading eBPF ...");
  const shop = await Shop.open();
  const watchers: Child[] = [];
  let left: readonly string[] = [];
  try {
    for (const line of introduction(shop.agents)) print(line);
    print(viewHeader);
    for (const agent of shop.agents) watchers.push(watchFlows(agent, print, color));
    if (!stop.aborted) await once(stop, "abort");
  } finally {
    print("\nweir demo: removing namespaces, eBPF programs and files ...");
    await Promise.all(watchers.map((watcher) => watcher.stop(2_000)));
    left = await shop.close();
    for (const sentence of left) print(`weir demo: could not be removed: ${sentence}`);
  }
  if (left.length === 0) print("weir demo: the machine is as it was before.");
  return left.length === 0 ? 0 : 1;
}

function watchFlows(agent: Agent, print: (line: string) => void, color: boolean): Child {
  const onLine = (text: string) => {
    if (!text.startsWith("{")) return;
    const line = viewLine(JSON.parse(text), color);
    if (line !== undefined) print(line);
  };
  return new Child([weir, "observe", "--follow", "-o", "json", "--server", agent.adminSocket], { onLine });
}
