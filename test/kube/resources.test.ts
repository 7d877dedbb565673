import test from "ava";
import { FieldError } from "../../src/kube/fields.ts";
import { readResource, resourceKey } from "../../src/kube/resources.ts";
import { pod, policy, service, slice } from "../helpers/resources.ts";

const rawPod = (parts: object) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "a", namespace: "shop" },
  ...parts,
});

test("a Pod keeps what the mesh needs", (t) => {
  const read = pod("shop", "web", "10.0.0.1", {
    metadata: {
      uid: "u1",
      ownerReferences: [
        { kind: "Node", name: "x" },
        { kind: "ReplicaSet", name: "web-1", controller: true },
      ],
    },
    spec: {
      hostNetwork: true,
      containers: [
        {
          ports: [
            { name: "http", containerPort: 8080 },
            { containerPort: 53, protocol: "UDP" },
          ],
        },
        { ports: [{ containerPort: 9090 }] },
      ],
      initContainers: [
        { ports: [{ containerPort: 1 }] },
        { restartPolicy: "Always", ports: [{ name: "side", containerPort: 2 }] },
      ],
    },
    status: { phase: "Running", podIP: "10.0.0.9", conditions: [{ type: "Ready", status: "False" }] },
  });
  t.like(read, { node: "a", serviceAccount: "web", hostNetwork: true, terminal: false, ready: false });
  t.deepEqual(read.addresses, ["10.0.0.1"]);
  t.deepEqual(read.controller, { kind: "ReplicaSet", name: "web-1" });
  t.deepEqual(read.ports, [
    { name: "http", port: 8080 },
    { name: "", port: 9090 },
    { name: "side", port: 2 },
  ]);
});

test("a Pod that says little gets Kubernetes' defaults", (t) => {
  const reading = readResource({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "a" },
    status: { podIP: "10.0.0.9" },
  });
  t.like("resource" in reading ? reading.resource : {}, {
    kind: "Pod",
    metadata: { namespace: "default" },
    serviceAccount: "default",
    ready: true,
    terminal: false,
    addresses: ["10.0.0.9"],
  });
});

test("a Service keeps TCP ports, names of target ports, and session affinity", (t) => {
  const read = service("shop", "web", {
    clusterIPs: ["10.96.0.1", "fd00::1"],
    ports: [
      { port: 80, targetPort: "http" },
      { port: 53, protocol: "UDP" },
      { name: "m", port: 9090 },
    ],
    sessionAffinity: "ClientIP",
  });
  t.deepEqual(read.clusterAddresses, ["10.96.0.1", "fd00::1"]);
  t.deepEqual(read.ports, [
    { name: "", port: 80, targetPort: "http" },
    { name: "m", port: 9090, targetPort: 9090 },
  ]);
  t.is(read.affinitySeconds, 10_800);
  t.deepEqual(service("shop", "headless", { clusterIP: "None" }).clusterAddresses, []);
});

test("an EndpointSlice is ready unless it says otherwise, and names without addresses are left out", (t) => {
  const endpoints = [{ addresses: ["10.0.0.1"] }, { addresses: ["10.0.0.2"], conditions: { ready: false } }];
  const read = slice("shop", "web-1", "web", { endpoints, ports: [{ name: "http", port: 8080 }] });
  t.is(read.service, "web");
  t.deepEqual(read.endpoints, [
    { address: "10.0.0.1", ready: true },
    { address: "10.0.0.2", ready: false },
  ]);
  t.deepEqual(slice("shop", "f", "web", { addressType: "FQDN", endpoints: [{ addresses: ["x.y"] }] }).endpoints, []);
});

test("an AuthorizationPolicy keeps fields nobody knows by name, and empty lists count as absent", (t) => {
  const read = policy("shop", "p", {
    rules: [{ from: [{ source: { principals: ["x"], namespaces: [], colour: ["red"] } }], form: [] }],
    colour: "red",
  });
  t.deepEqual(
    [...(read.rules[0]?.from?.[0] ?? [])],
    [
      ["principals", ["x"]],
      ["colour", ["red"]],
    ],
  );
  t.deepEqual(read.rules[0]?.unknown, ["form"]);
  t.deepEqual(read.unknown, ["colour"]);
  t.is(read.selector, undefined);
});

test("two groups with a policy of one name are two objects", (t) => {
  const own = readResource({
    apiVersion: "weir.dev/v1",
    kind: "AuthorizationPolicy",
    metadata: { namespace: "shop", name: "p" },
  });
  const istio = policy("shop", "p", {});
  t.true("resource" in own && resourceKey(own.resource) !== resourceKey(istio));
});

test("kinds Weir does not read are named and ignored", (t) => {
  const reading = readResource({ apiVersion: "apps/v1", kind: "Deployment", metadata: {} });
  t.deepEqual(reading, { ignored: "apps/v1 Deployment" });
});

const invalid: readonly [string, unknown, string][] = [
  ["something that is no object", 7, "expected an object, got 7"],
  ["an object without kind", { apiVersion: "v1" }, "kind: expected a string, got nothing"],
  [
    "a port that is no number",
    { apiVersion: "v1", kind: "Service", metadata: { name: "a" }, spec: { ports: [{ port: "x" }] } },
    'spec.ports[0].port: expected an integer 1..65535, got "x"',
  ],
  [
    "a cluster address that is none",
    { apiVersion: "v1", kind: "Service", metadata: { name: "a" }, spec: { clusterIPs: ["10.0.0.1", "web"] } },
    'spec.clusterIPs[1]: expected an IP address or "None", got "web"',
  ],
  [
    "a pod address that is none",
    rawPod({ status: { podIPs: [{ ip: "300.1.1.1" }] } }),
    'status.podIPs[0].ip: expected an IP address, got "300.1.1.1"',
  ],
  [
    "a name that would forge an identity",
    rawPod({ spec: { serviceAccountName: "a/ns/b" } }),
    'spec.serviceAccountName: expected a name of lower-case letters, digits, "-" and ".", got "a/ns/b"',
  ],
  [
    "a label that is no string",
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "a", labels: { "weir.dev/x": true } } },
    'metadata.labels["weir.dev/x"]: expected a string, got true (put it in quotes)',
  ],
];

for (const [what, raw, message] of invalid) {
  test(`${what} is refused with the path`, (t) => {
    t.is(t.throws(() => readResource(raw), { instanceOf: FieldError })?.message, message);
  });
}
