// What the demo tells before flows start to roll: what is running, where to look, what to try.
import type { Agent } from "./agent.ts";
import { manifestDirectory } from "./shop.ts";

/** The lines, ready to print. */
export function introduction(agents: readonly Agent[]): string[] {
  const [first, second] = agents;
  const admin = first?.adminSocket ?? "";
  return [
    "",
    "  node demo-a                                node demo-b",
    "    shop/web       calls cart and catalog      shop/catalog",
    "    shop/cart      calls payments              shop/visitor   calls web",
    "    shop/payments  calls legacy/ledger         legacy/ledger  not in the mesh",
    "    shop/batch     calls payments (denied)     legacy/report  not in the mesh; calls web, and payments (denied)",
    "                   and catalog over IPv6",
    "",
    "  Every pod is a process in a network namespace of its own; nothing was added to it. Same node: the kernel judges at",
    "  connect() and gets out of the way (direct). Other node: through the node proxies (proxied). Policy: only cart may",
    "  call payments (shop/payments-callers).",
    "",
    ...agents.flatMap(({ options, metricsUrl, hubbleSocket }) => [
      `  ${options.node}   metrics ${metricsUrl}   hubble unix://${hubbleSocket}`,
    ]),
    `  manifests ${manifestDirectory} (edit them: what you save is in force at once)`,
    "",
    "  Try, in another terminal:",
    `    bin/weir status --server ${admin}`,
    `    bin/weir why --from shop/batch --to shop/payments:8080 --server ${admin}`,
    `    bin/weir observe --verdict DROPPED --follow --server ${admin}`,
    `    hubble observe --server unix://${second?.hubbleSocket ?? ""} --follow`,
    `    sed -i 's,sa/cart",&\\, "cluster.local/ns/shop/sa/batch",' ${manifestDirectory}/policies.yaml      # let batch in`,
    `    sed -i 's/disabled/enabled/' ${manifestDirectory}/namespaces.yaml      # capture legacy, with nothing restarted`,
    "",
    "  Ctrl-C ends the demo and leaves the machine as it was. Flows:",
    "",
  ];
}
