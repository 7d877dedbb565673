// Which captured pods run where, and who they are: what decides for whom a node may ask.
import type { Pod } from "../kube/pod.ts";
import type { ResourceChanges, ResourceKey } from "../kube/resources.ts";
import { uidOf } from "../mesh/build-workload.ts";
import { captureObstacle, wantsCapture } from "../mesh/capture.ts";
import { AddressClaims } from "../mesh/claims.ts";
import { Store, type Touched } from "../mesh/store.ts";
import { Refusal } from "./refusal.ts";
import { printSpiffeId, type SpiffeId } from "./spiffe-id.ts";

export interface CapturedPod {
  /** namespace/name */
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  readonly id: SpiffeId;
}

interface Entry extends CapturedPod {
  /** Why it has no identity to ask for; undefined when it has. */
  readonly obstacle: string | undefined;
}

/** The kubelet runs these from its own files; nobody vouches for what they claim to be. */
const MIRROR = "kubernetes.io/config.mirror";

export class CapturedPods {
  readonly #trustDomain: string;
  readonly #store = new Store();
  readonly #claims = new AddressClaims();
  readonly #entries = new Map<ResourceKey, Entry>();
  readonly #byUid = new Map<string, Set<ResourceKey>>();

  constructor(trustDomain: string) {
    this.#trustDomain = trustDomain;
  }

  /** Takes what a source reports. */
  take(changes: ResourceChanges): void {
    for (const key of this.#concerned(this.#store.apply(changes))) this.#rebuild(key);
  }

  /** Nodes that have a pod with an identity to ask for. */
  nodes(): Set<string> {
    return new Set(
      [...this.#entries.values()].filter(({ obstacle }) => obstacle === undefined).map(({ node }) => node),
    );
  }

  /** How many pods have an identity to ask for. */
  get size(): number {
    return [...this.#entries.values()].filter(({ obstacle }) => obstacle === undefined).length;
  }

  /** The captured pod with this UID on this node. Throws Refusal. */
  find(node: string, uid: string): CapturedPod {
    const keys = [...(this.#byUid.get(uid) ?? [])];
    // To a node, a pod that is not its own is like one that does not exist.
    const nothing = `no captured pod with UID ${uid} runs on node ${node}`;
    if (keys.length > 1) throw new Refusal("uid_ambiguous", nothing, `the UID is claimed by ${keys.join(", ")}`);
    const entry = this.#entries.get(keys[0] ?? "");
    if (entry === undefined) throw new Refusal("pod_unknown", nothing);
    if (entry.node !== node)
      throw new Refusal("wrong_node", nothing, `Pod ${entry.name} runs on node ${entry.node || "none"}`);
    if (entry.obstacle !== undefined)
      throw new Refusal("not_captured", `pod ${entry.name} is not captured: ${entry.obstacle}`);
    return entry;
  }

  #concerned(touched: readonly Touched[]): Set<ResourceKey> {
    const keys = new Set<ResourceKey>();
    for (const { key, before, after } of touched) {
      const object = after ?? before;
      if (object?.kind === "Pod") {
        keys.add(key);
        for (const rival of this.#claims.update(key, before as Pod | undefined, after as Pod | undefined))
          keys.add(rival);
      } else if (object?.kind === "Namespace") {
        for (const pod of this.#store.pods(object.metadata.name).keys()) keys.add(pod);
      }
    }
    return keys;
  }

  #rebuild(key: ResourceKey): void {
    const before = this.#entries.get(key);
    if (before !== undefined) this.#forget(key, before.uid);
    const pod = this.#store.get(key) as Pod | undefined;
    if (pod === undefined) return;
    const entry = this.#entry(key, pod);
    this.#entries.set(key, entry);
    this.#byUid.set(entry.uid, (this.#byUid.get(entry.uid) ?? new Set()).add(key));
  }

  #forget(key: ResourceKey, uid: string): void {
    this.#entries.delete(key);
    const rest = this.#byUid.get(uid);
    rest?.delete(key);
    if (rest?.size === 0) this.#byUid.delete(uid);
  }

  #entry(key: ResourceKey, pod: Pod): Entry {
    const { namespace, name } = pod.metadata;
    const identity = { trustDomain: this.#trustDomain, namespace, serviceAccount: pod.serviceAccount };
    return {
      name: `${namespace}/${name}`,
      uid: uidOf(pod),
      node: pod.node,
      id: printSpiffeId(identity),
      obstacle: this.#obstacle(key, pod),
    };
  }

  #obstacle(key: ResourceKey, pod: Pod): string | undefined {
    if (!wantsCapture(pod, this.#store.namespace(pod.metadata.namespace)).wanted) return "nothing asks for its capture";
    if (pod.metadata.annotations[MIRROR] !== undefined) return "it is a mirror pod";
    return captureObstacle(pod, this.#claims.settle(key, pod).own.length, false);
  }
}
