import test from "ava";
import { parseManifest } from "../../src/files/manifest.ts";

const namespaceText = (name: string) => `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${name}\n`;

const failuresOf = (text: string) =>
  parseManifest(text).failures.map(({ position, error }) => `${position.line}:${position.column} ${error.message}`);

test("documents are separated by --- and empty ones are skipped", (t) => {
  const manifest = parseManifest(
    `# licence\n---\n${namespaceText("a")}---\n# nothing\n---\n\n---\n${namespaceText("b")}`,
  );
  t.deepEqual(
    [...manifest.objects].map(([key, { position }]) => `${position.line} ${key}`),
    ["3 Namespace a", "12 Namespace b"],
  );
});

test("JSON, and Lists as kubectl writes them, are read", (t) => {
  const items = ["a", "b"].map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } }));
  const manifest = parseManifest(JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  t.deepEqual([...manifest.objects.keys()], ["Namespace a", "Namespace b"]);
});

test("a syntax error has line and column in the file", (t) => {
  const [failure] = failuresOf(`${namespaceText("a")}---\nkind: [a\nname: b\n`);
  t.regex(failure ?? "", /^7:\d+ the text is not valid YAML: /);
  t.false(failure?.includes("\n"));
});

test("a wrong type has the position of the field, and names object and path", (t) => {
  const text = `${namespaceText("a")}---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: web}
spec:
  ports:
  - port: 80
  - port: x
`;
  t.deepEqual(failuresOf(text), [
    '12:11 Service shop/web is not valid: spec.ports[1].port: expected an integer 1..65535, got "x"',
  ]);
});

test("a missing field has the position of what should hold it", (t) => {
  t.deepEqual(failuresOf("apiVersion: v1\nkind: Namespace\nmetadata:\n  labels: {}\n"), [
    "4:3 Namespace is not valid: metadata.name: expected a string, got nothing",
  ]);
});

test("a wrong object in a List is named", (t) => {
  const text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata:\n    name: A\n";
  t.deepEqual(failuresOf(text), [
    '7:11 Namespace A is not valid: items[0].metadata.name: expected a name of lower-case letters, digits, "-" and ".", got "A"',
  ]);
});

test("an object defined twice names both places", (t) => {
  t.deepEqual(failuresOf(`${namespaceText("a")}---\n${namespaceText("a")}`), [
    "6:1 Namespace a is already defined at line 1",
  ]);
});

test("kinds Weir does not read are listed and do no harm", (t) => {
  const manifest = parseManifest(
    `${namespaceText("a")}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n`,
  );
  t.deepEqual(
    manifest.ignored.map(({ type }) => type),
    ["apps/v1 Deployment"],
  );
  t.deepEqual(manifest.failures, []);
  t.is(manifest.objects.size, 1);
});

test("a document that did not change is not parsed again, wherever it moved", (t) => {
  const before = parseManifest(`${namespaceText("a")}---\n${namespaceText("b")}`);
  const after = parseManifest(`${namespaceText("a")}---\n${namespaceText("c")}---\n${namespaceText("b")}`, before);
  t.is(after.objects.get("Namespace a")?.resource, before.objects.get("Namespace a")?.resource);
  t.is(after.objects.get("Namespace b")?.resource, before.objects.get("Namespace b")?.resource);
  t.is(after.objects.get("Namespace b")?.position.line, 11);
});

test("a text that expands without end is an error", (t) => {
  const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"];
  for (const [name, of] of ["ba", "cb", "dc", "ed"].map((pair) => [...pair]))
    bomb.push(`${name}: &${name} [${`*${of}, `.repeat(9)}]`);
  t.regex(failuresOf(`${bomb.join("\n")}\n`)[0] ?? "", /not valid YAML/);
});
