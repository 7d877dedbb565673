// An AuthorizationPolicy, compiled: what the evaluator gets, and what users are told about it.

/** AUDIT is accepted and has no effect; the evaluator never gets it. */
export type PolicyAction = "ALLOW" | "DENY" | "CUSTOM" | "AUDIT";

export interface PolicyCondition {
  readonly type: "Accepted" | "Unsupported";
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
}

export interface Policy {
  /** Assigned by this agent, one for each revision, never reused. */
  readonly id: number;
  readonly namespace: string;
  readonly name: string;
  readonly action: PolicyAction;
  readonly dryRun: boolean;
  /** The rules as the user wrote them, as one line of text each, by index. */
  readonly rulesText: readonly string[];
  readonly conditions: readonly PolicyCondition[];
}
