import test from "ava";
import type { Resource } from "../../src/kube/resources.ts";
import type { Desired } from "../../src/snapshot/desired.ts";
import type { GuardedWorkload } from "../../src/snapshot/snapshot.ts";
import { desired, namespace, pod, policy, service, upsert } from "../helpers/resources.ts";

const namespaces = 20;
const podsEach = 100;

function mesh(): Resource[] {
  const objects: Resource[] = [];
  for (let n = 0; n < namespaces; n++) {
    objects.push(namespace(`ns-${n}`));
    objects.push(
      service(`ns-${n}`, "web", { clusterIP: `10.96.0.${n}`, selector: { app: "web" }, ports: [{ port: 80 }] }),
    );
    for (let p = 0; p < podsEach; p++) {
      objects.push(
        pod(`ns-${n}`, `web-${p}`, `10.${n}.0.${p + 1}`, { metadata: { labels: { app: "web", pod: `${p}` } } }),
      );
    }
  }
  return objects;
}

const spec = (from: string, labels?: object) => ({
  rules: [{ from: [{ source: { namespaces: [from] } }] }],
  ...(labels === undefined ? {} : { selector: { matchLabels: labels } }),
});

/** How many workload objects a change replaced. */
function replaced(state: Desired, change: () => void): number {
  const before = new Set<GuardedWorkload>(state.snapshot.workloads.values());
  change();
  return [...state.snapshot.workloads.values()].filter((guarded) => !before.has(guarded)).length;
}

test("a change rebuilds what it concerns, and leaves everything else the very same objects", (t) => {
  const state = desired(t);
  state.apply(upsert(...mesh()));
  t.is(state.snapshot.workloads.size, namespaces * podsEach);
  const services = new Set(state.snapshot.services.values());
  const unready = { conditions: [{ type: "Ready", status: "False" }] };
  const labels = { app: "web", pod: "5" };

  t.is(
    replaced(state, () => state.apply(upsert(policy("ns-3", "p", spec("a"))))),
    podsEach,
  );
  t.is(
    replaced(state, () => state.apply(upsert(policy("ns-3", "q", spec("a", { pod: "7" }))))),
    1,
  );
  t.is(
    replaced(state, () =>
      state.apply(upsert(pod("ns-4", "web-5", "10.4.0.6", { metadata: { labels }, status: unready }))),
    ),
    1,
  );
  t.deepEqual(
    [...state.snapshot.services.values()].filter((one) => !services.has(one)).map((one) => one.namespace),
    ["ns-4"],
  );
  t.is(
    replaced(state, () => state.apply(upsert(policy("istio-system", "mesh", spec("a", { pod: "9" }))))),
    namespaces,
  );
});

test("thousands of policies are selected and revised one at a time", (t) => {
  const state = desired(t);
  const policies = Array.from({ length: 2000 }, (_, n) =>
    policy(`ns-${n % namespaces}`, `p-${n}`, spec("a", { app: "web", pod: `${Math.floor(n / namespaces)}` })),
  );
  const started = performance.now();
  state.apply(upsert(...mesh(), ...policies));
  const loaded = performance.now() - started;
  t.true([...state.snapshot.workloads.values()].every((guarded) => guarded.policies.length === 1));
  t.is(
    replaced(state, () => state.apply(upsert(policy("ns-0", "p-0", spec("b", { app: "web", pod: "0" }))))),
    1,
  );
  t.true(loaded < 5000, `loading took ${loaded} ms`);
});
