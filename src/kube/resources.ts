// Kubernetes objects become checked types here, and nowhere else.
import { type AuthorizationPolicy, readAuthorizationPolicy } from "./authorization-policy.ts";
import { type EndpointSlice, readEndpointSlice } from "./endpoint-slice.ts";
import { Fields } from "./fields.ts";
import { type Metadata, readMetadata } from "./metadata.ts";
import { type Pod, readPod } from "./pod.ts";
import { readService, type ServiceObject } from "./service.ts";

export interface Namespace {
  readonly kind: "Namespace";
  readonly metadata: Metadata;
}

export interface Node {
  readonly kind: "Node";
  readonly metadata: Metadata;
}

export type Resource = Namespace | Node | Pod | ServiceObject | EndpointSlice | AuthorizationPolicy;
export type Kind = Resource["kind"];

/** What identifies an object, in one string: KIND NAMESPACE/NAME, or KIND NAME; one of two groups adds its own. */
export type ResourceKey = string;

/** What a source reports, in one batch. A key is in one of the two lists at most. */
export interface ResourceChanges {
  readonly upserts: readonly Resource[];
  readonly deletes: readonly ResourceKey[];
}

export type Reading =
  | { readonly resource: Resource }
  /** Nothing Weir reads, named as in `apps/v1 Deployment`. */
  | { readonly ignored: string };

export function resourceKey(resource: Resource): ResourceKey {
  const { namespace, name } = resource.metadata;
  const kind = resource.kind === "AuthorizationPolicy" ? `${resource.kind}.${resource.group}` : resource.kind;
  return namespace === "" ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** Checks one object. Throws FieldError with the path of what is wrong. */
export function readResource(value: unknown, path: readonly (string | number)[] = []): Reading {
  const object = new Fields(value, path);
  const type = `${object.string("apiVersion")} ${object.string("kind")}`;
  const read = readers[type];
  return read === undefined ? { ignored: type } : { resource: read(object) };
}

const readers: Readonly<Record<string, (object: Fields) => Resource>> = {
  "v1 Namespace": (object) => ({ kind: "Namespace", metadata: readMetadata(object, "cluster") }),
  "v1 Node": (object) => ({ kind: "Node", metadata: readMetadata(object, "cluster") }),
  "v1 Pod": readPod,
  "v1 Service": readService,
  "discovery.k8s.io/v1 EndpointSlice": readEndpointSlice,
  "security.istio.io/v1 AuthorizationPolicy": readAuthorizationPolicy,
  "security.istio.io/v1beta1 AuthorizationPolicy": readAuthorizationPolicy,
  "weir.dev/v1 AuthorizationPolicy": readAuthorizationPolicy,
};
