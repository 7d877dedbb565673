// What made a pod, as metrics and flows name it.
import type { Pod } from "../kube/pod.ts";
import type { Workload } from "./workload.ts";

/** The Deployment rather than its ReplicaSet, the CronJob rather than each Job; a pod without a controller is its own. */
export function ownerOf(pod: Pod): Workload["owner"] {
  const { controller } = pod;
  if (controller === undefined) return { kind: "Pod", name: pod.metadata.name };
  if (controller.kind === "ReplicaSet") {
    const suffix = `-${pod.metadata.labels["pod-template-hash"] ?? ""}`;
    if (suffix !== "-" && controller.name.endsWith(suffix)) {
      return { kind: "Deployment", name: controller.name.slice(0, -suffix.length) };
    }
  }
  if (controller.kind === "Job") {
    // A CronJob names its Jobs after the minute they were due.
    const name = /^(.+)-\d{8,10}$/.exec(controller.name)?.[1];
    if (name !== undefined) return { kind: "CronJob", name };
  }
  return controller;
}
