import test from "ava";
import type { EndpointSlice } from "../../src/kube/endpoint-slice.ts";
import type { Pod } from "../../src/kube/pod.ts";
import { formatAddress, parseAddress } from "../../src/mesh/address.ts";
import { buildService, endpointsFor } from "../../src/mesh/build-service.ts";
import { pod, service, slice } from "../helpers/resources.ts";

const selector = { app: "web" };
const ports = [{ port: 80, targetPort: 8080 }];
const ready = (status: string) => ({ conditions: [{ type: "Ready", status }] });
const web = (name: string, ip: string, status: object = {}, more: object = {}) =>
  pod("shop", name, ip, { metadata: { labels: selector, ...more }, status: { podIPs: [{ ip }], ...status } });

function endpoints(spec: object, pods: Pod[], slices: EndpointSlice[] = []): string[][] {
  const built = buildService({ id: 1, service: service("shop", "web", { ...spec }), slices, pods });
  return built.ports.map((port) => port.endpoints.map((end) => `${formatAddress(end.address)}:${end.port}`));
}

test("endpoints are the ready pods a selector selects, sorted", (t) => {
  const pods = [
    web("b", "10.0.0.10"),
    web("a", "10.0.0.9"),
    web("unready", "10.0.0.1", ready("False")),
    web("leaving", "10.0.0.2", ready("True"), { deletionTimestamp: "2026-01-01T00:00:00Z" }),
    web("ended", "10.0.0.3", { phase: "Succeeded" }),
    pod("shop", "other", "10.0.0.4"),
  ];
  t.deepEqual(endpoints({ selector, ports }, pods), [["10.0.0.9:8080", "10.0.0.10:8080"]]);
});

test("publishNotReadyAddresses takes all pods that have not ended", (t) => {
  const pods = [
    web("unready", "10.0.0.1", ready("False")),
    web("leaving", "10.0.0.2", ready("True"), { deletionTimestamp: "2026-01-01T00:00:00Z" }),
    web("ended", "10.0.0.3", { phase: "Failed" }),
  ];
  t.deepEqual(endpoints({ selector, ports, publishNotReadyAddresses: true }, pods), [
    ["10.0.0.1:8080", "10.0.0.2:8080"],
  ]);
});

test("a named target port is each pod's own, and a pod without it is no endpoint for it", (t) => {
  const named = (name: string, ip: string, containerPort: number, portName: string) =>
    pod("shop", name, ip, {
      metadata: { labels: selector },
      spec: { containers: [{ ports: [{ name: portName, containerPort }] }] },
    });
  const pods = [
    named("a", "10.0.0.1", 8080, "http"),
    named("b", "10.0.0.2", 9090, "http"),
    named("c", "10.0.0.3", 1, "x"),
  ];
  t.deepEqual(endpoints({ selector, ports: [{ port: 80, targetPort: "http" }] }, pods), [
    ["10.0.0.1:8080", "10.0.0.2:9090"],
  ]);
});

test("without a target port the Service's own port is meant", (t) => {
  t.deepEqual(endpoints({ selector, ports: [{ port: 80 }] }, [web("a", "10.0.0.1")]), [["10.0.0.1:80"]]);
});

test("a Service without selector and without EndpointSlices leads nowhere", (t) => {
  t.deepEqual(endpoints({ ports }, [web("a", "10.0.0.1")]), [[]]);
});

test("EndpointSlices say everything if there is any, each endpoint once", (t) => {
  const parts = (...addresses: string[]) => ({
    ports: [{ name: "http", port: 8080 }],
    endpoints: addresses.map((address) => ({ addresses: [address] })),
  });
  const slices = [
    slice("shop", "1", "web", parts("10.1.0.2", "10.1.0.1")),
    slice("shop", "2", "web", parts("10.1.0.2")),
  ];
  const named = [
    { name: "http", port: 80 },
    { name: "absent", port: 81 },
  ];
  t.deepEqual(endpoints({ selector, ports: named }, [web("a", "10.0.0.1")], slices), [
    ["10.1.0.1:8080", "10.1.0.2:8080"],
    [],
  ]);
});

test("endpoints of a slice that are not ready are left out, unless they are to be published", (t) => {
  const conditions = { ready: false };
  const slices = [
    slice("shop", "1", "web", { ports: [{ port: 1 }], endpoints: [{ addresses: ["10.1.0.1"], conditions }] }),
  ];
  t.deepEqual(endpoints({ ports }, [], slices), [[]]);
  t.deepEqual(endpoints({ ports, publishNotReadyAddresses: true }, [], slices), [["10.1.0.1:1"]]);
});

test("a cluster address leads to endpoints of its own family", (t) => {
  const podIPs = [{ ip: "10.0.0.1" }, { ip: "fd00::1" }];
  const pods = [web("a", "10.0.0.1", { podIPs })];
  const object = service("shop", "web", { clusterIPs: ["10.96.0.1", "fd96::1"], selector, ports });
  const built = buildService({ id: 1, service: object, slices: [], pods });
  const [port] = built.ports;
  const leadsTo = (address: string) =>
    endpointsFor(port!, parseAddress(address)!).map((end) => formatAddress(end.address));
  t.deepEqual(leadsTo("10.96.0.1"), ["10.0.0.1"]);
  t.deepEqual(leadsTo("fd96::1"), ["fd00::1"]);
  t.is(built.addresses.length, 2);
});

test("a headless Service has no addresses but knows its endpoints", (t) => {
  const object = service("shop", "web", { clusterIP: "None", selector, ports });
  const built = buildService({ id: 1, service: object, slices: [], pods: [web("a", "10.0.0.1")] });
  t.deepEqual(built.addresses, []);
  t.is(built.ports[0]?.endpoints.length, 1);
});

test("session affinity has Kubernetes' default and may be set", (t) => {
  const affinity = (config: object) => {
    const object = service("shop", "web", { sessionAffinity: "ClientIP", ...config });
    return buildService({ id: 1, service: object, slices: [], pods: [] }).affinitySeconds;
  };
  t.is(affinity({}), 10_800);
  t.is(affinity({ sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } }), 5);
});
