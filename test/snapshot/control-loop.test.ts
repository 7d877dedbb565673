import test from "ava";
import { createLog } from "../../src/log.ts";
import type { Datapath, Socket } from "../../src/native/datapath.ts";
import { messageType } from "../../src/policy/messages.ts";
import type { Capture, Captures } from "../../src/snapshot/captures.ts";
import { ControlLoop } from "../../src/snapshot/control-loop.ts";
import type { Publisher } from "../../src/snapshot/publish.ts";
import { sleep } from "../helpers/eventually.ts";
import { desired, namespace, pod, policy, service, upsert } from "../helpers/resources.ts";

const address = (last: number) => Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, last]);
const connection = { connection: 7n, state: 3, local: address(1), localPort: 80, remote: address(2), remotePort: 9 };

test("a later change does not take away the second look of the one before it", async (t) => {
  const state = desired(t);
  let found: Socket[] = [];
  const destroyed: Socket[] = [];
  const captures = {
    get: (id: number) => [...captures.all()].find(({ workload }) => workload.id === id),
    *all() {
      for (const { workload } of state.snapshot.workloads.values()) yield { workload } as Capture;
    },
    sockets: ({ workload }: Capture) => (workload.name === "web" ? found : []),
    destroy: (_: Capture, sockets: readonly Socket[]) => destroyed.push(...sockets),
  } as unknown as Captures;
  const denied = messageType("weir.authorization.Answers")
    .encode({ answers: [{ action: 2 }] })
    .finish();
  const loop = new ControlLoop({
    desired: state,
    publisher: { publish: async () => {} } as unknown as Publisher,
    captures,
    datapath: { adopted: false, synchronize: () => {} } as unknown as Datapath,
    recheck: { captures, authorize: () => denied, names: state.names, isServer: () => undefined },
    revoked: () => {},
    log: createLog("silent"),
  });
  t.teardown(() => loop.close());

  loop.take(upsert(namespace("shop"), pod("shop", "web", "10.0.0.1"), pod("shop", "db", "10.0.0.2")));
  await loop.idle();
  loop.take(upsert(policy("shop", "p", { selector: { matchLabels: { app: "web" } } })));
  await loop.idle();
  loop.take(upsert(service("shop", "web", { selector: { app: "web" } })));
  await loop.idle();
  found = [connection as Socket];
  await sleep(300);
  t.deepEqual(destroyed, found);
});
