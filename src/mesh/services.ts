// All Services, kept up to date: a change rebuilds those it can concern and leaves the objects of all others as they are.
import { isDeepStrictEqual } from "node:util";
import type { Pod } from "../kube/pod.ts";
import type { ResourceKey } from "../kube/resources.ts";
import type { ServiceObject } from "../kube/service.ts";
import { buildService, mayServe } from "./build-service.ts";
import type { Ids } from "./ids.ts";
import type { Service } from "./service.ts";
import type { Store, Touched } from "./store.ts";

export class Services {
  readonly #ids: Ids;
  readonly #services = new Map<ResourceKey, Service>();

  constructor(ids: Ids) {
    this.#ids = ids;
  }

  /** Takes in a change; answers what became of each Service it concerns. */
  update(store: Store, touched: readonly Touched[]): { before: Service | undefined; after: Service | undefined }[] {
    const changed = [];
    for (const key of concerned(store, touched)) {
      const before = this.#services.get(key);
      const after = this.#build(store, key, before);
      if (after !== before) changed.push({ before, after });
    }
    return changed;
  }

  #build(store: Store, key: ResourceKey, before: Service | undefined): Service | undefined {
    const service = store.get(key) as ServiceObject | undefined;
    if (service === undefined || service.external) {
      if (before !== undefined) this.#ids.release("service", `${before.namespace}/${before.name}`);
      this.#services.delete(key);
      return undefined;
    }
    const { namespace, name } = service.metadata;
    const built = buildService({
      id: this.#ids.id("service", `${namespace}/${name}`),
      service,
      slices: [...store.slices(namespace, name).values()],
      pods: store.pods(namespace).values(),
    });
    if (before !== undefined && isDeepStrictEqual(before, built)) return before;
    this.#services.set(key, Object.freeze(built));
    return built;
  }
}

function concerned(store: Store, touched: readonly Touched[]): Set<ResourceKey> {
  const keys = new Set<ResourceKey>();
  for (const { key, before, after } of touched) {
    for (const object of [before, after]) {
      if (object?.kind === "Service") keys.add(key);
      else if (object?.kind === "EndpointSlice") {
        const service = `Service ${object.metadata.namespace}/${object.service}`;
        if (store.get(service) !== undefined) keys.add(service);
      } else if (object?.kind === "Pod") {
        for (const service of servedBy(store, object)) keys.add(service);
      }
    }
  }
  return keys;
}

function* servedBy(store: Store, pod: Pod): Generator<ResourceKey> {
  for (const [key, service] of store.services(pod.metadata.namespace)) if (mayServe(service, pod)) yield key;
}
