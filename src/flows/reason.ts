// enum reason of bpf/abi.h: a name for machines and a sentence for people.

export interface Reason {
  /** Stable, for JSON, filters and metrics. */
  readonly code: string;
  /** Ends without a full stop, so that policy and rule can follow. */
  readonly sentence: string;
  /** Whether a policy decided; otherwise the state of the mesh did. */
  readonly byPolicy: boolean;
}

const policy = (code: string, sentence: string): Reason => ({ code, sentence, byPolicy: true });
const state = (code: string, sentence: string): Reason => ({ code, sentence, byPolicy: false });

/** By position, as in bpf/abi.h. */
export const reasons: readonly Reason[] = [
  state("NONE", "no verdict is recorded"),
  policy("NO_POLICY", "allowed: no ALLOW policy selects the destination"),
  policy("ALLOW_RULE", "allowed: a rule of an ALLOW policy matches"),
  state("SELF", "allowed: a pod may always reach itself"),
  state("NOT_CAPTURED", "allowed: the destination is not in the mesh"),
  state("FAIL_OPEN", "allowed: the node proxy is away and the namespace fails open"),
  policy("DENY_RULE", "denied: a rule of a DENY policy matches"),
  policy("NO_ALLOW_MATCH", "denied: ALLOW policies select the destination and no rule of theirs matches"),
  policy("CUSTOM", "denied: a CUSTOM policy selects the destination and its provider cannot be asked"),
  state("NO_ENDPOINTS", "denied: the Service has no ready endpoint"),
  state("NO_SUCH_PORT", "denied: the Service has no such port"),
  state("PROXY_UNAVAILABLE", "denied: the node proxy is away and the namespace fails closed"),
  state("CONNECTION_LIMIT", "denied: the pod is at its connection limit"),
  state("DIAL_FAILED", "failed: the far end refused the connection or did not answer"),
  policy("REVOKED", "ended: a policy change no longer allows the connection"),
  state("PROXY_PORT", "denied: an app dialled a listener of the node proxy"),
  state("TABLE_FULL", "denied: a kernel table or quota is full"),
  state("SUBFLOW", "denied: a later MPTCP subflow would need the node proxy"),
  state("REMOTE", "allowed here: the destination's node decides"),
];

/** The reason at a position; one newer than this build knows is named by its number. */
export const reasonAt = (position: number): Reason =>
  reasons[position] ?? state(`REASON_${position}`, `reason ${position}, which this version does not know`);
