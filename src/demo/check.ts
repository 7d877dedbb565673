// `weir demo --check`: the same shop, unattended, asserted from outside with real clients, flows and metrics.
import type { Flow } from "../flows/flow.ts";
import type { Agent } from "./agent.ts";
import { type Checklist, createChecklist } from "./checklist.ts";
import { attempt, inNamespace } from "./command.ts";
import { hubbleFlows } from "./hubble.ts";
import { editManifest, prefix, Shop } from "./shop.ts";

const payments = "10.96.77.4";

/** Answers the exit code: 0 when every assertion holds. */
export async function checkDemo(print: (line: string) => void): Promise<number> {
  const checklist = createChecklist(print);
  let shop: Shop | undefined;
  const open = async () => {
    shop = await Shop.open();
    return true;
  };
  await checklist.check("two agents become ready and eight pods start", open, 0);
  if (shop !== undefined) await checkOpen(shop, checklist);
  print(`\n${checklist.passed} passed, ${checklist.failed} failed`);
  return checklist.failed === 0 ? 0 : 1;
}

async function checkOpen(shop: Shop, checklist: Checklist): Promise<void> {
  try {
    await checkShop(shop, checklist);
  } finally {
    const left = await shop.close();
    await checklist.check("the machine is as it was before", () => nothingLeft(left), 0);
  }
}

async function checkShop(shop: Shop, checklist: Checklist): Promise<void> {
  await checkTraffic(shop, checklist);
  await checkFlows(shop, checklist);
  await checkMetrics(shop, checklist);
  await checkHubble(shop, checklist);
  await checkChanges(shop, checklist);
}

async function checkTraffic(shop: Shop, { check }: Checklist): Promise<void> {
  await check("visitor reaches web, which reaches cart and catalog", async () => {
    return (await http(shop, "visitor", "10.96.77.1", 80)).calls === "cart=ok catalog=ok";
  });
  await check("cart reaches payments, which reaches the ledger outside the mesh", async () => {
    return (await http(shop, "cart", payments, 80)).calls === "ledger=ok";
  });
  await check("batch is refused by payments in the kernel, at connect()", async () => {
    return (await http(shop, "batch", payments, 80)).outcome === "ECONNREFUSED";
  });
  await check("report, outside the mesh, is refused by payments", async () => {
    return ["ECONNRESET", "ECONNREFUSED"].includes((await http(shop, "report", "10.77.1.4", 8080)).outcome);
  });
  await check("report, outside the mesh, reaches web", async () => {
    return (await http(shop, "report", "10.77.1.2", 8080)).outcome === "ok";
  });
  await check("catalog on the other node sees the true address of its client, over IPv4 and IPv6", async () => {
    const [v4, v6] = [await http(shop, "web", "10.96.77.3", 80), await http(shop, "web", "[fd96:77::3]", 80)];
    return v4.peer === "10.77.1.2" && v6.peer === "fd77:1::2";
  });
}

async function checkFlows(shop: Shop, { check }: Checklist): Promise<void> {
  const [a, b] = shop.agents as [Agent, Agent];
  await check("demo-a shows web to cart on the direct path, with both identities", () =>
    seen(
      a,
      (flow) => flow.path === "direct" && isBetween(flow, "web", "cart") && flow.destination.identity !== undefined,
    ),
  );
  await check("demo-a shows batch to payments denied, and why", () =>
    seen(
      a,
      (flow) => flow.kind === "deny" && isBetween(flow, "batch", "payments") && flow.reason.code === "NO_ALLOW_MATCH",
    ),
  );
  await check("demo-a shows web to catalog through the proxy, crossing in the clear for now", () =>
    seen(a, (flow) => flow.path === "proxied" && isBetween(flow, "web", "catalog") && flow.cleartext),
  );
  await check("demo-a shows payments to ledger passing through", () =>
    seen(a, (flow) => flow.path === "pass-through" && isBetween(flow, "payments", "ledger")),
  );
  await check("demo-a shows report denied without an identity", () =>
    seen(
      a,
      (flow) =>
        flow.verdict === "denied" && isBetween(flow, "report", "payments") && flow.source.identity === undefined,
    ),
  );
  await check("demo-b shows web to catalog from its own side", () =>
    seen(b, (flow) => flow.end === "destination" && isBetween(flow, "web", "catalog")),
  );
  await check("weir why names the policy that denies batch", async () => {
    const { stdout } = await a.cli("why", "--from", "shop/batch", "--to", "shop/payments:8080");
    return stdout.includes("payments-callers");
  });
}

async function checkMetrics(shop: Shop, { check }: Checklist): Promise<void> {
  for (const agent of shop.agents) {
    await check(`${agent.options.node} counts connections by workload on ${agent.metricsUrl}`, async () => {
      const text = await agent.metrics();
      return /^istio_tcp_connections_opened_total\{.*destination_workload="(cart|catalog)".*\} [1-9]/m.test(text);
    });
  }
}

async function checkHubble(shop: Shop, { check }: Checklist): Promise<void> {
  for (const agent of shop.agents) {
    await check(`${agent.options.node} answers Hubble clients on its socket`, async () => {
      return (await hubbleFlows(agent.hubbleSocket, 20)) > 0;
    });
  }
}

async function checkChanges(shop: Shop, { check }: Checklist): Promise<void> {
  const batchReaches = async () => (await http(shop, "batch", payments, 80)).outcome === "ok";
  editManifest("policies.yaml", (text) => text.replace('sa/cart"]', 'sa/cart", "cluster.local/ns/shop/sa/batch"]'));
  await check("a changed policy lets batch in within a second", batchReaches, 1_000);
  editManifest("policies.yaml", (text) => text.replace(', "cluster.local/ns/shop/sa/batch"', ""));
  await check("and shuts it out again within a second", async () => !(await batchReaches()), 1_000);
  editManifest("namespaces.yaml", (text) => text.replace("disabled", "enabled"));
  await check("a label captures legacy while it runs: payments to ledger gets a proved destination", () =>
    seen(
      shop.agents[1]!,
      (flow) => flow.end === "destination" && flow.destination.pod === "ledger" && flow.source.pod === "payments",
    ),
  );
}

async function nothingLeft(left: readonly string[]): Promise<boolean> {
  if (left.length > 0) throw new Error(left.join("; "));
  const { stdout } = await attempt(["sh", "-c", `ip netns list; ip -br link; ls /sys/fs/bpf/weir 2>/dev/null`]);
  const remains = stdout.split("\n").filter((line) => line.startsWith(prefix) || line.startsWith("demo-"));
  if (remains.length > 0) throw new Error(`still there: ${remains.join(", ")}`);
  return true;
}

const isBetween = (flow: Flow, source: string, destination: string): boolean =>
  flow.source.pod === source && flow.destination.pod === destination;

async function seen(agent: Agent, wanted: (flow: Flow) => boolean): Promise<boolean> {
  const { stdout } = await agent.cli("observe", "-o", "json", "--last", "2000");
  return stdout.split("\n").some((line) => line !== "" && wanted(JSON.parse(line)));
}

/** One HTTP request from inside a pod's namespace, by a process of its own. */
async function http(shop: Shop, pod: string, host: string, port: number) {
  const client = `
    const request = require("node:http").get("http://${host}:${port}/", { agent: false, timeout: 3000 }, (response) => {
      let body = "";
      response.on("data", (chunk) => (body += chunk)).on("end", () => console.log(body));
    });
    request.on("timeout", () => request.destroy(new Error("timeout")));
    request.on("error", (error) => console.log(JSON.stringify({ error: error.code ?? error.message })));`;
  const { stdout } = await attempt(inNamespace(shop.pod(pod).network.netns, [process.execPath, "-e", client]));
  const answer = JSON.parse(stdout || "{}") as {
    error?: string;
    peer?: string;
    calls?: { name: string; outcome: string }[];
  };
  const calls = (answer.calls ?? []).map(({ name, outcome }) => `${name}=${outcome}`).join(" ");
  return { outcome: answer.error ?? "ok", peer: answer.peer, calls };
}
