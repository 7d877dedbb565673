// Which pod an address belongs to. Two running pods may say that they have one address (a pod that ended without the
// source noticing, a mistake in a file): the newest has it, so that the old one's rights end when the new one appears.
import type { Pod } from "../kube/pod.ts";
import type { ResourceKey } from "../kube/resources.ts";
import { parseAddress } from "./address.ts";

export interface Claim {
  readonly key: ResourceKey;
  readonly pod: Pod;
  /** Order in which pods came, for those that do not say when they were made. */
  readonly order: number;
}

/** 16 bytes as a map key. */
export const addressKey = (address: Uint8Array): string =>
  Buffer.from(address.buffer, address.byteOffset, 16).toString("latin1");

export class AddressClaims {
  readonly #claims = new Map<string, Claim[]>();
  #order = 0;

  /** Records that a pod changed; answers the keys of other pods that share an address with it, before or after. */
  update(key: ResourceKey, before: Pod | undefined, after: Pod | undefined): Set<ResourceKey> {
    const rivals = new Set<ResourceKey>();
    const order = this.#remove(key, before, rivals) ?? ++this.#order;
    if (after !== undefined) {
      for (const address of claimedBy(after)) {
        const claims = this.#claims.get(addressKey(address)) ?? [];
        for (const claim of claims) rivals.add(claim.key);
        const sameAsBefore = before !== undefined && sameInstance(before, after);
        claims.push({ key, pod: after, order: sameAsBefore ? order : ++this.#order });
        this.#claims.set(addressKey(address), claims.sort(newestFirst));
      }
    }
    rivals.delete(key);
    return rivals;
  }

  /** The pod's addresses that are its own, and for those that are not, who has them. */
  settle(key: ResourceKey, pod: Pod): { own: Uint8Array[]; lost: { address: string; to: ResourceKey }[] } {
    const own: Uint8Array[] = [];
    const lost: { address: string; to: ResourceKey }[] = [];
    for (const address of claimedBy(pod)) {
      const holder = this.#claims.get(addressKey(address))?.[0]?.key ?? key;
      if (holder === key) own.push(address);
      else lost.push({ address: textOf(pod, address), to: holder });
    }
    return { own, lost };
  }

  #remove(key: ResourceKey, pod: Pod | undefined, rivals: Set<ResourceKey>): number | undefined {
    let order: number | undefined;
    for (const address of pod === undefined ? [] : claimedBy(pod)) {
      const claims = this.#claims.get(addressKey(address)) ?? [];
      const rest = claims.filter((claim) => claim.key !== key);
      order ??= claims.find((claim) => claim.key === key)?.order;
      for (const claim of rest) rivals.add(claim.key);
      if (rest.length === 0) this.#claims.delete(addressKey(address));
      else this.#claims.set(addressKey(address), rest);
    }
    return order;
  }
}

/** Pods on the node's own network share its address, and pods that ended have none. */
function claimedBy(pod: Pod): Uint8Array[] {
  if (pod.hostNetwork || pod.terminal) return [];
  return pod.addresses.map(parseAddress).filter((address) => address !== undefined);
}

function textOf(pod: Pod, address: Uint8Array): string {
  const key = addressKey(address);
  return pod.addresses.find((text) => addressKey(parseAddress(text) ?? new Uint8Array(16)) === key) ?? "";
}

function sameInstance(before: Pod, after: Pod): boolean {
  return before.metadata.uid === after.metadata.uid && before.metadata.created === after.metadata.created;
}

function newestFirst(left: Claim, right: Claim): number {
  const [leftTime, rightTime] = [left, right].map(({ pod }) => Date.parse(pod.metadata.created ?? ""));
  return (rightTime ?? Number.NaN) - (leftTime ?? Number.NaN) || right.order - left.order;
}
