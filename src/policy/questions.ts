// Questions to the evaluator and its answers, as weir.authorization has them.
import { messageType } from "./messages.ts";

export interface Connection {
  /** 0: the client's identity is not proved. */
  readonly sourceWorkload: number;
  /** 16 bytes, as are all addresses here. */
  readonly source: Uint8Array;
  readonly destinationWorkload: number;
  readonly destination: Uint8Array;
  readonly port: number;
}

export interface Clause {
  /** from, to or when[N]. */
  readonly name: string;
  readonly matched: boolean;
  /** Which part did not match, and why. */
  readonly mismatch: string;
}

export interface Considered {
  readonly policy: number;
  readonly rule: number;
  readonly matched: boolean;
  readonly clauses: readonly Clause[];
}

export interface Answer {
  /** enum action of bpf/abi.h. */
  readonly action: number;
  /** enum reason of bpf/abi.h. */
  readonly reason: number;
  readonly policy: number;
  readonly rule: number;
  readonly dryRunAction: number;
  readonly dryRunPolicy: number;
  readonly dryRunRule: number;
  readonly considered: readonly Considered[];
}

export interface Answers {
  /** Of the snapshot that answered. */
  readonly version: number;
  /** In the order of the questions. */
  readonly answers: readonly Answer[];
}

/** `explain` asks for every rule that was considered. */
export function encodeQuestions(connections: readonly Connection[], explain = false): Uint8Array {
  return messageType("weir.authorization.Questions").encode({ connections, explain }).finish();
}

/** Throws when the bytes are no weir.authorization.Answers. */
export function decodeAnswers(bytes: Uint8Array): Answers {
  const type = messageType("weir.authorization.Answers");
  return type.toObject(type.decode(bytes), { longs: Number, defaults: true }) as Answers;
}
