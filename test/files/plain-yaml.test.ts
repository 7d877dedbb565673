import test from "ava";
import { parse } from "yaml";
import { readPlainYaml } from "../../src/files/plain-yaml.ts";

const read: readonly [string, string][] = [
  ["nested mappings", "a:\n  b:\n    c: d\n  e: f\n"],
  ["a sequence deeper than its key", "a:\n  - b\n  - c\nd: e\n"],
  ["a sequence as deep as its key", "a:\n- b\n- c\nd: e\n"],
  ["mappings in sequences", "- a: b\n  c: d\n- a: e\n  c:\n  - f\n  - g: h\n"],
  ["sequences in sequences", "- - a\n  - b\n-   - c\n- \n  - d\n-\n d: e\n"],
  ["keys without values", "a:\nb:\n  c:\nd:\n- e:\n-\n"],
  ["scalars of all sorts", "a: true\nb: False\nc: null\nd: 0\ne: -12\nf: 1.2.3.4\ng: 10.0.0.0/8\nh: x:y\ni: a b, c\n"],
  ["quoted strings", 'a: "b: c"\nd: \'e\'\n"f/g": ""\nh: \'1\'\ni: "{}"\n'],
  ["flow collections", 'a: []\nb: {}\nc: [x, "y", 1, true]\nd: {e: f, "g": [{h: 1}]}\n- x\n'.replace("- x\n", "")],
  ["lines of comments and blank lines", "---\n# why\na: b\n\n  # what\nc: d\n"],
];

for (const [what, text] of read) {
  test(`${what} are read as the full parser reads them`, (t) => {
    t.deepEqual(readPlainYaml(text), parse(text));
  });
}

const left: readonly [string, string][] = [
  ["a comment behind a value", "a: b # c\n"],
  ["an anchor", "a: &b c\n"],
  ["an alias", "a: *b\n"],
  ["a tag", "a: !!str 1\n"],
  ["a block scalar", "a: |\n  b\n"],
  ["a scalar over several lines", "a: b\n  c\n"],
  ["an escape", 'a: "b\\n"\n'],
  ["a tab", "a:\n\tb: c\n"],
  ["a duplicate key", "a: b\na: c\n"],
  ["a duplicate key in a flow mapping", "a: {b: c, b: d}\n"],
  ["a number in another notation", "a: 0x10\n"],
  ["a number with leading zeros", "a: 007\n"],
  ["a fraction", "a: 1.5\n"],
  ["an exponent", "a: 1e3\n"],
  ["letters beyond ASCII", "a: ä\n"],
  ["a line that is too deep", "a: b\n   c: d\n"],
  ["a line that is not deep enough", "a:\n    b: c\n  d: e\n"],
  ["a colon within a value", "a: b: c\n"],
  ["JSON within YAML", 'a: {"b":1}\n'],
  ["a key that is no string", "true: a\n"],
  ["a second document", "a: b\n---\nc: d\n"],
  ["an unclosed flow sequence", "a: [b\n"],
  ["nothing", "# only this\n"],
];

for (const [what, text] of left) {
  test(`${what} is left to the full parser`, (t) => {
    t.is(readPlainYaml(text), undefined);
  });
}

test("whatever it reads, the full parser reads the same", (t) => {
  const random = generator(20_261_123);
  let taken = 0;
  for (let round = 0; round < 6000; round++) {
    const text = scribble(random);
    const value = readPlainYaml(text);
    if (value === undefined) continue;
    taken++;
    t.deepEqual(value, parse(text), text);
  }
  t.true(taken > 600, `only ${taken} texts were read`);
});

/** Lines put together at random from pieces that YAML gives a meaning to. */
function scribble(random: (below: number) => number): string {
  const pick = (from: readonly string[]) => from[random(from.length)] ?? "";
  const value = () =>
    pick([
      "a",
      "1",
      "-1",
      "null",
      "true",
      "x y",
      "a:b",
      "[]",
      "{}",
      "[a, 1]",
      "{a: b}",
      '"q"',
      "'q'",
      "1.2.3.4",
      "- a",
    ]);
  const rare = () =>
    pick(["| ", "&a x", "~", "0o7", "a #b", "'", '"', "{a", "[a, ]", "? a", "...", "-", ":", "a:", "+1", "1."]);
  const lines = Array.from({ length: 1 + random(6) }, () => {
    const indent = " ".repeat(random(4));
    const dashes = pick(["", "", "", "- ", "- ", "- - ", "-  "]);
    const key = pick(["a: ", "b: ", "c: ", "d:", "e:", "f/g: ", '"h": ', "", "k:  "]);
    const rest = key.endsWith(":") ? "" : random(40) === 0 ? rare() : value();
    return `${indent}${dashes}${key}${rest}`;
  });
  return `${lines.join("\n")}\n`;
}

function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
