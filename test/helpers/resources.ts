// Checked objects for tests of the control path, made from what a manifest would say.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import type { AuthorizationPolicy } from "../../src/kube/authorization-policy.ts";
import type { EndpointSlice } from "../../src/kube/endpoint-slice.ts";
import type { Pod } from "../../src/kube/pod.ts";
import { type Namespace, type Resource, readResource } from "../../src/kube/resources.ts";
import type { ServiceObject } from "../../src/kube/service.ts";
import { Ids } from "../../src/mesh/ids.ts";
import { Desired } from "../../src/snapshot/desired.ts";

type Raw = Record<string, unknown>;

export interface PodParts {
  readonly metadata?: Raw;
  readonly spec?: Raw;
  readonly status?: Raw;
}

/** A running pod on node a, with its namespace's annotation; parts replace what they name. */
export function pod(namespace: string, name: string, ip: string | undefined, parts: PodParts = {}): Pod {
  const annotations = { "weir.dev/netns": `/run/netns/${name}` };
  return read({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, annotations, labels: { app: name }, ...parts.metadata },
    spec: { nodeName: "a", serviceAccountName: name, ...parts.spec },
    status: { ...(ip === undefined ? {} : { podIPs: [{ ip }] }), ...parts.status },
  }) as Pod;
}

export const namespace = (name: string, labels: Raw = { "weir.dev/capture": "enabled" }, annotations: Raw = {}) =>
  read({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels, annotations } }) as Namespace;

export const service = (namespace: string, name: string, spec: Raw) =>
  read({ apiVersion: "v1", kind: "Service", metadata: { namespace, name }, spec }) as ServiceObject;

export const slice = (namespace: string, name: string, ofService: string, parts: Raw) =>
  read({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { namespace, name, labels: { "kubernetes.io/service-name": ofService } },
    addressType: "IPv4",
    ...parts,
  }) as EndpointSlice;

export const policy = (namespace: string, name: string, spec: Raw, annotations: Raw = {}) =>
  read({
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { namespace, name, annotations },
    spec,
  }) as AuthorizationPolicy;

export const upsert = (...upserts: Resource[]) => ({ upserts, deletes: [] });

/** A directory that is gone when the test is over. */
export function scratch(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), "weir-test-"));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function ids(t: ExecutionContext, floor = 0): Ids {
  const made = new Ids({ stateDirectory: scratch(t), floor });
  t.teardown(() => made.close());
  return made;
}

/** The desired state of node a. */
export const desired = (t: ExecutionContext): Desired =>
  new Desired({ node: "a", trustDomain: "cluster.local", rootNamespaces: ["istio-system"], ids: ids(t) });

function read(raw: Raw): Resource {
  const reading = readResource(raw);
  if ("ignored" in reading) throw new Error(`no such kind: ${reading.ignored}`);
  return reading.resource;
}
