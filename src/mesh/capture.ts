// Whether a pod asked to be captured, and what a pod and its namespace say about failure.
import type { Problem } from "../errors.ts";
import type { Pod } from "../kube/pod.ts";
import type { Namespace } from "../kube/resources.ts";
import type { Failure } from "./workload.ts";

export const captureLabel = "weir.dev/capture";
export const failureKey = "weir.dev/failure";
export const netnsAnnotation = "weir.dev/netns";

/** The pod's label decides, else its namespace's; a value that means nothing is reported and counts as none. */
export function wantsCapture(pod: Pod, namespace: Namespace | undefined): { wanted: boolean; problems: Problem[] } {
  const problems: Problem[] = [];
  for (const object of [pod, namespace]) {
    const value = object?.metadata.labels[captureLabel];
    if (object === undefined || value === undefined) continue;
    if (value === "enabled" || value === "disabled") return { wanted: value === "enabled", problems };
    problems.push(meaningless(object, captureLabel, value, '"enabled" or "disabled"'));
  }
  return { wanted: false, problems };
}

/** Label or annotation, the pod's before its namespace's; closed unless one says otherwise. */
export function failureOf(pod: Pod, namespace: Namespace | undefined): { failure: Failure; problems: Problem[] } {
  const problems: Problem[] = [];
  for (const object of [pod, namespace]) {
    const value = object?.metadata.labels[failureKey] ?? object?.metadata.annotations[failureKey];
    if (object === undefined || value === undefined) continue;
    if (value === "open" || value === "closed") return { failure: value, problems };
    problems.push(meaningless(object, failureKey, value, '"open" or "closed"'));
  }
  return { failure: "closed", problems };
}

/** Why a pod that asked for it cannot be captured. */
export function captureObstacle(pod: Pod, addresses: number, local: boolean): string | undefined {
  if (pod.terminal) return "it has ended";
  if (pod.hostNetwork) return "it uses the node's own network (hostNetwork)";
  if (addresses === 0) return "it has no address of its own";
  if (local && pod.metadata.annotations[netnsAnnotation] === undefined) {
    return `its network namespace is not known: the annotation ${netnsAnnotation} is missing`;
  }
  return undefined;
}

function meaningless(object: Pod | Namespace, key: string, value: string, expected: string): Problem {
  const { namespace, name } = object.metadata;
  return {
    where: `${object.kind} ${namespace === "" ? name : `${namespace}/${name}`}`,
    message: `${key} is ${JSON.stringify(value)}, which means nothing; expected ${expected}`,
  };
}
