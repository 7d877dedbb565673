// JSON schemas of what the admin interface takes and answers.

const text = { type: "string" } as const;
const whole = { type: "integer" } as const;
const number = { type: "number" } as const;
const flag = { type: "boolean" } as const;

export const listOf = (items: object) => ({ type: "array", items }) as const;
const mapOf = (values: object) => ({ type: "object", additionalProperties: values }) as const;

/** All properties are required but those listed as optional. */
const objectOf = (properties: Record<string, object>, optional: readonly string[] = []) => ({
  type: "object",
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  additionalProperties: false,
});

const queryOf = (properties: Record<string, object>) => ({ ...objectOf(properties, Object.keys(properties)) });

const count = { type: "integer", minimum: 0 } as const;

export const namespaceQuery = queryOf({ namespace: text });
export const flowsQuery = queryOf({
  last: count,
  first: count,
  since: text,
  until: text,
  follow: flag,
  allow: text,
  deny: text,
  form: { type: "string", enum: ["weir", "hubble"] },
});
export const whyQuery = queryOf({ flow: text, from: text, to: text });
export const idParams = objectOf({ id: text });

const owner = objectOf({ kind: text, name: text });
const labels = mapOf(text);

export const workloadSchema = objectOf(
  {
    id: whole,
    namespace: text,
    name: text,
    node: text,
    addresses: listOf(text),
    identity: text,
    workload: owner,
    labels,
    ready: flag,
    local: flag,
    captured: flag,
    notCaptured: text,
  },
  ["notCaptured"],
);

export const serviceSchema = objectOf({
  namespace: text,
  name: text,
  addresses: listOf(text),
  ports: listOf(objectOf({ name: text, port: whole, endpoints: listOf(text) })),
  affinitySeconds: whole,
});

export const policySchema = objectOf({
  namespace: text,
  name: text,
  action: text,
  dryRun: flag,
  rules: listOf(text),
  conditions: listOf(objectOf({ type: text, status: flag, reason: text, message: text })),
});

const flowPolicy = objectOf({ namespace: text, name: text, action: text });
const flowSide = objectOf(
  {
    address: text,
    port: whole,
    namespace: text,
    pod: text,
    workload: owner,
    labels,
    serviceAccount: text,
    node: text,
    identity: text,
  },
  ["namespace", "pod", "workload", "labels", "serviceAccount", "node", "identity"],
);

export const flowSchema = objectOf(
  {
    id: text,
    sequence: whole,
    time: text,
    node: text,
    kind: text,
    end: text,
    path: text,
    verdict: text,
    reason: objectOf({ code: text, text, policy: flowPolicy, rule: objectOf({ index: whole, text }) }, [
      "policy",
      "rule",
    ]),
    dryRun: objectOf({ verdict: text, text, policy: flowPolicy }, ["policy"]),
    source: flowSide,
    destination: flowSide,
    service: objectOf({ namespace: text, name: text }),
    dialled: objectOf({ address: text, port: whole }),
    connection: whole,
    bytesToServer: whole,
    bytesToClient: whole,
    durationMs: number,
    rttUs: whole,
    retransmits: whole,
    failed: flag,
    reset: flag,
    cleartext: flag,
  },
  ["dryRun", "service", "dialled"],
);

export const whySchema = objectOf(
  {
    from: text,
    to: text,
    identity: text,
    explanation: objectOf(
      { allowed: flag, decision: text, nearest: text, dryRun: text, notes: listOf(text), considered: listOf(text) },
      ["nearest", "dryRun"],
    ),
    flow: flowSchema,
  },
  ["flow"],
);

export const statusSchema = objectOf({
  node: text,
  version: text,
  pid: whole,
  startedAt: text,
  ready: flag,
  problems: listOf(objectOf({ code: text, where: text, message: text, next: text })),
  config: objectOf({
    source: text,
    version: whole,
    ageSeconds: number,
    workloads: whole,
    services: whole,
    policies: whole,
  }),
  kernel: objectOf({
    adopted: flag,
    podsCaptured: whole,
    driftRepaired: whole,
    tables: listOf(objectOf({ name: text, rows: whole, capacity: whole })),
  }),
  proxy: objectOf({ connections: whole, descriptors: whole, descriptorLimit: whole, snapshotVersion: whole }),
  flows: objectOf({ seen: whole, stored: whole, capacity: whole, lost: mapOf(whole) }),
  memory: objectOf({ resident: whole, heap: whole, proxy: whole }),
  addresses: objectOf({ admin: text, hubble: text, metrics: text }),
});
