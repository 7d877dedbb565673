// A Pod becomes a Workload. Pure.
import type { Problem } from "../errors.ts";
import type { Pod } from "../kube/pod.ts";
import type { Namespace } from "../kube/resources.ts";
import { captureObstacle, failureOf, netnsAnnotation, wantsCapture } from "./capture.ts";
import { ownerOf } from "./owner.ts";
import type { Workload } from "./workload.ts";

export interface WorkloadInput {
  readonly id: number;
  readonly pod: Pod;
  readonly namespace: Namespace | undefined;
  /** Those of the pod's addresses that are its alone. */
  readonly addresses: readonly Uint8Array[];
  /** The node this agent runs on. */
  readonly node: string;
  readonly trustDomain: string;
}

/** metadata.uid, else namespace/name, told apart from an earlier pod of that name by the time it was made. */
export function uidOf({ metadata }: Pod): string {
  if (metadata.uid !== undefined && metadata.uid !== "") return metadata.uid;
  const name = `${metadata.namespace}/${metadata.name}`;
  return metadata.created === undefined ? name : `${name}@${metadata.created}`;
}

export function buildWorkload(input: WorkloadInput): { workload: Workload; problems: readonly Problem[] } {
  const { pod, namespace, addresses } = input;
  const { wanted, problems } = wantsCapture(pod, namespace);
  const { failure, problems: failureProblems } = failureOf(pod, namespace);
  const local = pod.node === input.node;
  const obstacle = wanted ? captureObstacle(pod, addresses.length, local) : undefined;
  const workload: Workload = {
    id: input.id,
    uid: uidOf(pod),
    namespace: pod.metadata.namespace,
    name: pod.metadata.name,
    labels: pod.metadata.labels,
    serviceAccount: pod.serviceAccount,
    trustDomain: input.trustDomain,
    node: pod.node,
    addresses,
    netns: pod.metadata.annotations[netnsAnnotation],
    ready: pod.ready && !pod.terminal && pod.metadata.deleted === undefined,
    hostNetwork: pod.hostNetwork,
    owner: ownerOf(pod),
    ports: pod.ports,
    local,
    captured: wanted && obstacle === undefined,
    notCaptured: obstacle,
    failure,
  };
  return { workload, problems: [...problems, ...failureProblems] };
}
