import test from "ava";
import { type Compilation, compilePolicy, denyInPlaceOf } from "../../src/policy/compile.ts";
import type { Rule } from "../../src/policy/wire.ts";
import { policy } from "../helpers/resources.ts";

const compile = (spec: object, annotations: object = {}, namespace = "shop"): Compilation =>
  compilePolicy(policy(namespace, "p", { ...spec }, { ...annotations }), ["istio-system", "weir-system"]);

const ruleOf = (rule: object, action: string): Rule | undefined => {
  const { policy: compiled, invalid } = compile({ action, rules: [rule] });
  if (invalid.length > 0) throw new Error(invalid.join("; "));
  return compiled.rules[0];
};

const source = (fields: object) => ({ from: [{ source: fields }] });
const operation = (fields: object) => ({ to: [{ operation: fields }] });
const when = (...conditions: object[]) => ({ when: conditions });

test("fields of L4 are compiled", (t) => {
  const rule = {
    ...source({ principals: ["td/ns/a/sa/*"], notNamespaces: ["b"], ipBlocks: ["10.0.0.0/8"] }),
    ...operation({ ports: ["80", "443"], notPorts: ["81"] }),
    ...when({ key: "source.namespace", values: ["a"], notValues: ["b*"] }, { key: "destination.port", values: ["80"] }),
  };
  const block = { address: Uint8Array.from([...Array(10).fill(0), 255, 255, 10, 0, 0, 0]), bits: 104 };
  t.deepEqual(ruleOf(rule, "ALLOW"), {
    index: 0,
    from: [{ principals: [{ prefix: "td/ns/a/sa/" }], notNamespaces: [{ exact: "b" }], ipBlocks: [block] }],
    to: [{ ports: [80, 443], notPorts: [81] }],
    when: [
      { key: 1, values: [{ exact: "a" }], notValues: [{ prefix: "b" }] },
      { key: 4, ports: [80] },
    ],
  });
});

test("service accounts and their not-form are compiled", (t) => {
  const rule = ruleOf(source({ serviceAccounts: ["web", "other/web"], notServiceAccounts: ["x"] }), "ALLOW");
  t.deepEqual(rule?.from, [
    {
      serviceAccounts: [
        { namespace: "shop", name: "web" },
        { namespace: "other", name: "web" },
      ],
      notServiceAccounts: [{ namespace: "shop", name: "x" }],
    },
  ]);
});

test("all keys of L4 conditions are compiled", (t) => {
  const conditions = [
    { key: "source.ip", values: ["10.0.0.1"], notValues: ["::1"] },
    { key: "source.principal", values: ["*"] },
    { key: "destination.ip", notValues: ["10.0.0.1"] },
  ];
  const compiled = ruleOf(when(...conditions), "DENY")?.when ?? [];
  t.deepEqual(
    compiled.map((condition) => Object.keys(condition)),
    [
      ["key", "blocks", "notBlocks"],
      ["key", "values"],
      ["key", "notBlocks"],
    ],
  );
});

const undecidable: readonly [string, object, string][] = [
  ...["requestPrincipals", "notRequestPrincipals", "remoteIpBlocks", "notRemoteIpBlocks", "trustDomains"].map(
    (name): [string, object, string] => [name, source({ [name]: ["10.0.0.1"] }), `from[0].${name}`],
  ),
  ...["hosts", "notHosts", "methods", "notMethods", "paths", "notPaths"].map((name): [string, object, string] => [
    name,
    operation({ [name]: ["x"] }),
    `to[0].${name}`,
  ]),
  ...["request.headers[x]", "remote.ip", "source.serviceAccount", "request.auth.claims[x]", "connection.sni"].map(
    (key): [string, object, string] => [`when ${key}`, when({ key, values: ["x"] }), `when[0] (${key})`],
  ),
  ["a source field nobody knows", source({ principal: ["x"] }), "from[0].principal"],
  ["an inherited name", source({ constructor: ["x"] }), "from[0].constructor"],
  ["a rule field nobody knows", { form: [] }, "form"],
];

for (const [what, rule, field] of undecidable) {
  test(`an ALLOW rule with ${what} never matches, its policy stays, and a condition says so`, (t) => {
    const { policy: compiled, invalid } = compile({ rules: [rule, source({ namespaces: ["a"] })] });
    t.deepEqual(invalid, []);
    t.true(compiled.applied);
    t.deepEqual(
      compiled.rules.map(({ index }) => index),
      [1],
    );
    t.is(compiled.rulesText.length, 2);
    const condition = compiled.conditions.find(({ type }) => type === "Unsupported");
    t.true(condition?.message.startsWith(`rule 0: ${field} cannot be decided`), condition?.message);
  });

  test(`a DENY rule with nothing but ${what} denies everything`, (t) => {
    t.deepEqual(ruleOf(rule, "DENY"), { index: 0, from: [], to: [], when: [] });
  });
}

const l4Parts: readonly [string, object, Omit<Rule, "index">][] = [
  [
    "keeps the ports beside methods",
    operation({ methods: ["GET"], ports: ["80"] }),
    { from: [], to: [{ ports: [80] }], when: [] },
  ],
  [
    "keeps its sources where its operations are all HTTP",
    { ...source({ namespaces: ["foo"] }), ...operation({ methods: ["GET"] }) },
    { from: [{ namespaces: [{ exact: "foo" }] }], to: [], when: [] },
  ],
  [
    "means any operation where one of several is all HTTP",
    { to: [{ operation: { ports: ["80"] } }, { operation: { methods: ["GET"] } }] },
    { from: [], to: [], when: [] },
  ],
  [
    "means any source where one of several cannot be decided",
    {
      from: [{ source: { namespaces: ["a"] } }, { source: { requestPrincipals: ["*"] } }],
      ...operation({ ports: ["80"] }),
    },
    { from: [], to: [{ ports: [80] }], when: [] },
  ],
  [
    "keeps the conditions that can be decided",
    when({ key: "request.headers[x]", values: ["y"] }, { key: "source.namespace", values: ["a"] }),
    { from: [], to: [], when: [{ key: 1, values: [{ exact: "a" }] }] },
  ],
];

for (const [what, rule, expected] of l4Parts) {
  for (const action of ["DENY", "CUSTOM"]) {
    test(`a ${action} rule ${what}`, (t) => {
      t.deepEqual(ruleOf(rule, action), { index: 0, ...expected });
    });
  }
}

test("no rules, an empty rule, and no spec are what Istio makes of them", (t) => {
  t.deepEqual(compile({}).policy.rules, []);
  t.is(compile({}).policy.action, "ALLOW");
  t.deepEqual(compile({ rules: [{}] }).policy.rules, [{ index: 0, from: [], to: [], when: [] }]);
  t.deepEqual(compile({ rules: [{}] }).policy.rulesText, ["everything"]);
  t.deepEqual(compile({ action: "DENY" }).policy.rules, []);
});

test("a policy selects in its namespace, one in a root namespace in the whole mesh", (t) => {
  const selector = { matchLabels: { app: "web" } };
  t.deepEqual(compile({ selector }).policy.scope, { namespace: "shop", labels: { app: "web" } });
  t.deepEqual(compile({}).policy.scope, { namespace: "shop", labels: {} });
  t.deepEqual(compile({ selector }, {}, "istio-system").policy.scope, { namespace: undefined, labels: { app: "web" } });
  t.deepEqual(compile({}, {}, "weir-system").policy.scope, { namespace: undefined, labels: {} });
});

test("targetRefs and AUDIT are accepted, apply to nothing, and say so", (t) => {
  const targeted = compile({ targetRefs: [{ kind: "Gateway", name: "g" }], action: "DENY", rules: [{}] });
  const audit = compile({ action: "AUDIT", rules: [{}] });
  for (const { policy: compiled, invalid } of [targeted, audit]) {
    t.deepEqual(invalid, []);
    t.false(compiled.applied);
    t.deepEqual(
      compiled.conditions.map(({ type, status }) => `${type}=${status}`),
      ["Accepted=true", "Unsupported=true"],
    );
  }
});

test("CUSTOM says that it denies", (t) => {
  const { policy: compiled } = compile({ action: "CUSTOM", provider: { name: "x" }, rules: [{}] });
  t.like(compiled, { action: "CUSTOM", applied: true });
  t.regex(compiled.conditions[1]?.message ?? "", /CUSTOM denies/);
});

test("the dry-run annotation is read as Istio reads it", (t) => {
  t.true(compile({}, { "istio.io/dry-run": "true" }).policy.dryRun);
  t.false(compile({}, { "istio.io/dry-run": "false" }).policy.dryRun);
  t.false(compile({}).policy.dryRun);
});

const invalid: readonly [string, object, RegExp][] = [
  [
    "a bad address block",
    { rules: [source({ ipBlocks: ["10.0.0.0/40"] })] },
    /rule 0: from\[0\]\.ipBlocks: "10\.0\.0\.0\/40"/,
  ],
  ["an empty value", { rules: [source({ namespaces: [""] })] }, /from\[0\]\.namespaces has an empty value/],
  ["an empty value of an HTTP field", { rules: [operation({ paths: [""] })] }, /to\[0\]\.paths has an empty value/],
  ["an action nobody knows", { action: "Deny" }, /action "Deny" is none of ALLOW/],
  ["selector beside targetRefs", { selector: { matchLabels: {} }, targetRefs: [{ name: "g" }] }, /exclude each other/],
  ["a field of spec nobody knows", { rule: [] }, /spec\.rule is a field nobody knows/],
  ["a selector nobody knows", { selector: { matchExpressions: [] } }, /spec\.selector\.matchExpressions/],
  ["a selector with a wildcard", { selector: { matchLabels: { app: "*" } } }, /is not a label/],
  ["an empty from", { rules: [{ from: [] }] }, /from is empty/],
  ["an empty source", { rules: [source({})] }, /from\[0\] is empty/],
  ["an empty to", { rules: [{ to: [] }] }, /to is empty/],
  ["an empty when", { rules: [{ when: [] }] }, /when is empty/],
  ["a condition without values", { rules: [when({ key: "source.ip" })] }, /neither values nor notValues/],
  ["a condition with a bad port", { rules: [when({ key: "destination.port", values: ["x"] })] }, /is not a port/],
  [
    "service accounts beside namespaces",
    { rules: [source({ serviceAccounts: ["a"], namespaces: ["b"] })] },
    /excludes them/,
  ],
  ["a principal with its scheme", { rules: [source({ principals: ["spiffe://a/ns/b/sa/c"] })] }, /without spiffe/],
];

for (const [what, spec, why] of invalid) {
  test(`${what} makes a policy invalid, and it says why`, (t) => {
    t.regex(compile(spec).invalid.join("; "), why);
  });
}

test("in place of an invalid policy stands one that denies", (t) => {
  const bad = [source({ ipBlocks: ["x"] }), source({ namespaces: ["a"] })];
  t.like(denyInPlaceOf(compile({ rules: bad }).policy), { action: "ALLOW", rules: [] });
  const everything = [{ index: 0, from: [], to: [], when: [] }];
  for (const action of ["DENY", "CUSTOM", "Deny"]) {
    t.like(denyInPlaceOf(compile({ action, rules: bad }).policy), { action: "DENY", rules: everything });
  }
  const both = compile({ action: "DENY", selector: { matchLabels: { a: "b" } }, targetRefs: [{ name: "g" }] });
  t.like(denyInPlaceOf(both.policy), { applied: true, rules: everything, scope: { labels: { a: "b" } } });
  t.false(denyInPlaceOf(compile({ action: "AUDIT", rules: bad }).policy).applied);
});

test("rules are written on one line each", (t) => {
  const rule = {
    from: [{ source: { namespaces: ["shop"] } }, { source: { principals: ["a", "b"], notNamespaces: ["c"] } }],
    ...operation({ ports: ["8080"] }),
    ...when({ key: "source.ip", values: ["10.0.0.0/8"], notValues: ["10.1.0.0/16"] }),
  };
  t.deepEqual(compile({ rules: [rule] }).policy.rulesText, [
    "from (namespaces: shop) or (principals: a, b; notNamespaces: c) to (ports: 8080) " +
      "when source.ip: 10.0.0.0/8 but not: 10.1.0.0/16",
  ]);
});
