// The one mutable thing of the control path: every object in force, by kind and namespace, with a version that each
// change raises. What is computed from it is computed anew from the keys a change touched.
import type { EndpointSlice } from "../kube/endpoint-slice.ts";
import type { Pod } from "../kube/pod.ts";
import {
  type Namespace,
  type Resource,
  type ResourceChanges,
  type ResourceKey,
  resourceKey,
} from "../kube/resources.ts";
import type { ServiceObject } from "../kube/service.ts";

/** One object before and after a change. */
export interface Touched<Type extends Resource = Resource> {
  readonly key: ResourceKey;
  readonly before: Type | undefined;
  readonly after: Type | undefined;
}

export class Store {
  readonly #objects = new Map<ResourceKey, Resource>();
  /** KIND NAMESPACE -> its objects, in the order they came; EndpointSlices by their Service. */
  readonly #groups = new Map<string, Map<ResourceKey, Resource>>();
  #version = 0;

  get version(): number {
    return this.#version;
  }

  /** Applies a batch; answers what it touched. */
  apply(changes: ResourceChanges): Touched[] {
    this.#version++;
    const touched: Touched[] = [];
    for (const key of changes.deletes) {
      const before = this.#objects.get(key);
      if (before === undefined) continue;
      this.#objects.delete(key);
      this.#group(before).delete(key);
      touched.push({ key, before, after: undefined });
    }
    for (const after of changes.upserts) {
      const key = resourceKey(after);
      const before = this.#objects.get(key);
      touched.push({ key, before, after });
      if (before !== undefined && groupOf(before) !== groupOf(after)) this.#group(before).delete(key);
      this.#objects.set(key, after);
      this.#group(after).set(key, after);
    }
    return touched;
  }

  namespace(name: string): Namespace | undefined {
    return this.#objects.get(`Namespace ${name}`) as Namespace | undefined;
  }

  pods(namespace: string): ReadonlyMap<ResourceKey, Pod> {
    return this.#of<Pod>(`Pod ${namespace}`);
  }

  services(namespace: string): ReadonlyMap<ResourceKey, ServiceObject> {
    return this.#of<ServiceObject>(`Service ${namespace}`);
  }

  /** EndpointSlices of one Service. */
  slices(namespace: string, service: string): ReadonlyMap<ResourceKey, EndpointSlice> {
    return this.#of<EndpointSlice>(`EndpointSlice ${namespace}/${service}`);
  }

  get(key: ResourceKey): Resource | undefined {
    return this.#objects.get(key);
  }

  #of<Type extends Resource>(group: string): ReadonlyMap<ResourceKey, Type> {
    return (this.#groups.get(group) ?? new Map()) as ReadonlyMap<ResourceKey, Type>;
  }

  #group(resource: Resource): Map<ResourceKey, Resource> {
    const name = groupOf(resource);
    const group = this.#groups.get(name) ?? new Map<ResourceKey, Resource>();
    this.#groups.set(name, group);
    return group;
  }
}

function groupOf(resource: Resource): string {
  const { namespace } = resource.metadata;
  return resource.kind === "EndpointSlice"
    ? `EndpointSlice ${namespace}/${resource.service}`
    : `${resource.kind} ${namespace}`;
}
