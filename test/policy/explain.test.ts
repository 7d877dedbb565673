import test from "ava";
import type { Names } from "../../src/mesh/names.ts";
import { explain } from "../../src/policy/explain.ts";
import { messageType } from "../../src/policy/messages.ts";
import type { Policy } from "../../src/policy/policy.ts";
import { type Answer, decodeAnswers, encodeQuestions } from "../../src/policy/questions.ts";

const policies: readonly Policy[] = [
  {
    id: 1,
    namespace: "shop",
    name: "allow-web",
    action: "ALLOW",
    dryRun: false,
    rulesText: ["from (namespaces: shop) to (ports: 8080)", "from (namespaces: other)"],
    conditions: [{ type: "Unsupported", status: true, reason: "Undecided", message: "rule 2: to[0].methods ..." }],
  },
  { id: 2, namespace: "shop", name: "deny", action: "DENY", dryRun: false, rulesText: ["everything"], conditions: [] },
];

const names: Names = {
  workload: () => undefined,
  workloadAt: () => undefined,
  service: () => undefined,
  policy: (id) => policies.find((policy) => policy.id === id),
};

const answer = (parts: Partial<Answer>): Answer => ({
  ...{ action: 1, reason: 1, policy: 0, rule: 0, dryRunAction: 0, dryRunPolicy: 0, dryRunRule: 0, considered: [] },
  ...parts,
});

const matched = (name: string) => ({ name, matched: true, mismatch: "" });
const failed = (name: string, mismatch: string) => ({ name, matched: false, mismatch });

test("what decided is named with policy and rule", (t) => {
  const decision = (parts: Partial<Answer>) => explain(answer(parts), names).decision;
  t.is(
    decision({ reason: 2, policy: 1, rule: 1 }),
    "allowed by ALLOW shop/allow-web rule 1 [from (namespaces: other)]",
  );
  t.is(decision({ action: 2, reason: 6, policy: 2 }), "denied by DENY shop/deny rule 0 [everything]");
  t.is(decision({ action: 2, reason: 6, policy: 9 }), "denied by policy 9, which is no longer known");
  t.regex(decision({}), /^allowed: no ALLOW policy selects the destination/);
  t.regex(decision({ reason: 4 }), /not in the mesh/);
});

test("where nothing allowed, the rule that fell shortest is named with the clause it failed at", (t) => {
  const considered = [
    { policy: 2, rule: 0, matched: false, clauses: [] },
    { policy: 1, rule: 1, matched: false, clauses: [failed("from", "namespaces: shop is none of other")] },
    {
      policy: 1,
      rule: 0,
      matched: false,
      clauses: [matched("from"), failed("to", "ports: port 9090 is none of 8080")],
    },
  ];
  const explanation = explain(answer({ action: 2, reason: 7, considered }), names);
  t.false(explanation.allowed);
  t.is(
    explanation.nearest,
    "nearest: ALLOW shop/allow-web rule 0 [from (namespaces: shop) to (ports: 8080)], all but `to`: ports: port 9090 is none of 8080",
  );
  t.is(
    explanation.considered[1],
    "ALLOW shop/allow-web rule 1 [from (namespaces: other)] did not match: from (namespaces: shop is none of other)",
  );
  t.deepEqual(explanation.notes, ["shop/allow-web: rule 2: to[0].methods ..."]);
});

test("policies without rules that could match have no nearest miss", (t) => {
  t.regex(explain(answer({ action: 2, reason: 7 }), names).nearest ?? "", /^no ALLOW policy/);
});

test("what dry-run policies would have said is told beside", (t) => {
  t.is(explain(answer({}), names).dryRun, undefined);
  t.is(
    explain(answer({ dryRunAction: 2, dryRunPolicy: 2 }), names).dryRun,
    "dry run: would be denied by DENY shop/deny rule 0 [everything]",
  );
});

test("questions and answers travel as protobuf", (t) => {
  const connection = {
    sourceWorkload: 1,
    source: new Uint8Array(16).fill(1),
    destinationWorkload: 2,
    destination: new Uint8Array(16).fill(2),
    port: 80,
  };
  const questions = messageType("weir.authorization.Questions");
  const read = questions.toObject(questions.decode(encodeQuestions([connection], true)), { bytes: Array });
  t.is(read.explain, true);
  t.like(read.connections[0], { sourceWorkload: 1, destinationWorkload: 2, port: 80, source: Array(16).fill(1) });
  const given = answer({
    reason: 7,
    considered: [{ policy: 1, rule: 0, matched: false, clauses: [failed("to", "x")] }],
  });
  const bytes = messageType("weir.authorization.Answers")
    .encode({ version: 5, answers: [given] })
    .finish();
  t.deepEqual(JSON.parse(JSON.stringify(decodeAnswers(bytes))), { version: 5, answers: [given] });
});
