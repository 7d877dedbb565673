import test from "ava";
import { FieldError, Fields, formatPath } from "../../src/kube/fields.ts";

const fields = new Fields({
  name: "web",
  port: 80,
  ready: true,
  nothing: null,
  labels: { app: "web" },
  list: [{ port: 1 }, { port: "x" }],
  strings: ["a", 1],
});

test("fields of the right type are read, absent and null ones are absent", (t) => {
  t.is(fields.string("name"), "web");
  t.is(fields.integer("port", 1, 65535), 80);
  t.is(fields.boolean("ready"), true);
  t.is(fields.optionalString("nothing"), undefined);
  t.deepEqual(fields.object("nothing").names, []);
  t.deepEqual(fields.strings("absent"), []);
  t.deepEqual(fields.stringMap("labels"), { app: "web" });
  t.deepEqual(fields.names, ["name", "port", "ready", "labels", "list", "strings"]);
});

const wrong: readonly [string, () => unknown, string][] = [
  ["a missing string", () => fields.string("absent"), "absent: expected a string, got nothing"],
  ["a number for a string", () => fields.string("port"), "port: expected a string, got 80 (put it in quotes)"],
  ["a string for a number", () => fields.integer("name", 1, 9), 'name: expected an integer 1..9, got "web"'],
  ["a number out of range", () => fields.integer("port", 1, 9), "port: expected an integer 1..9, got 80"],
  ["a number for a boolean", () => fields.boolean("port"), "port: expected true or false, got 80"],
  ["a string for an object", () => fields.object("name"), 'name: expected an object, got "web"'],
  ["an object for a list", () => fields.strings("labels"), "labels: expected a list of strings, got an object"],
  ["a list for a map", () => fields.stringMap("list"), "list: expected a map of strings, got a list"],
  ["a wrong item", () => fields.strings("strings"), "strings[1]: expected a string, got 1 (put it in quotes)"],
  [
    "a wrong field of an item",
    () => fields.list("list", (item) => item.integer("port", 1, 65535)),
    'list[1].port: expected an integer 1..65535, got "x"',
  ],
];

for (const [what, read, message] of wrong) {
  test(`${what} is an error that names the path`, (t) => {
    t.is(t.throws(read, { instanceOf: FieldError })?.message, message);
  });
}

test("fields inherited from Object are not there", (t) => {
  t.false(new Fields({}).has("constructor"));
  t.deepEqual(new Fields(JSON.parse('{"__proto__": "x"}')).names, ["__proto__"]);
});

test("paths are written as one would write them", (t) => {
  t.is(formatPath(["spec", "ports", 0, "port"]), "spec.ports[0].port");
  t.is(formatPath(["metadata", "labels", "app.kubernetes.io/name"]), 'metadata.labels["app.kubernetes.io/name"]');
});
