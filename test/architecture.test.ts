// The shape of the tree: config flows down, events flow up, one door for each language, and files small enough to read.
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import test from "ava";

const root = resolve(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** Types only, against the flow: what gives ids of records their names knows policies, too. */
const typesAgainstTheFlow: Readonly<Record<string, readonly string[]>> = { "src/mesh/names.ts": ["policy"] };

/** Folder or file of src -> what it may import besides itself. `errors` and `log` are open to all. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  log: [],
  config: [],
  version: [],
  kube: [],
  files: ["kube"],
  mesh: ["kube"],
  policy: ["kube", "mesh"],
  identity: ["kube", "mesh"],
  native: [],
  snapshot: ["kube", "mesh", "policy", "native"],
  flows: ["mesh", "policy", "native"],
  metrics: ["flows", "mesh", "policy", "native"],
  hubble: ["flows", "mesh", "policy"],
  admin: ["flows", "metrics", "hubble", "mesh", "policy", "config"],
  demo: ["flows"],
  cli: ["admin", "flows", "mesh", "policy", "config", "version", "native", "demo", "agent", "control"],
  agent: [
    "config",
    "version",
    "files",
    "kube",
    "mesh",
    "policy",
    "snapshot",
    "native",
    "flows",
    "metrics",
    "hubble",
    "admin",
  ],
  control: ["config", "files", "identity", "metrics", "admin"],
  main: ["cli"],
};

const sources = globSync("src/**/*.ts", { cwd: root }).sort();

test("every part of src is in the table of who may import whom", (t) => {
  t.deepEqual(
    [...new Set(sources.map(part))].filter((name) => mayImport[name] === undefined),
    [],
  );
});

for (const [name, allowed] of Object.entries(mayImport)) {
  const known = [name, "errors", "log", ...allowed];
  test(`src/${name} imports ${allowed.length === 0 ? "nothing else of src" : `only ${allowed.join(", ")}`}`, (t) => {
    const breaches = sources
      .filter((file) => part(file) === name)
      .flatMap((file) => importsOf(file).map((imported) => ({ file, imported })))
      .filter(({ imported }) => !known.includes(part(imported)))
      .filter(({ file, imported }) => !typesAgainstTheFlow[file]?.includes(part(imported)))
      .map(({ file, imported }) => `${file} imports ${imported}`);
    t.deepEqual(breaches, []);
  });
}

test("only src/native loads the addons", (t) => {
  const loading = sources.filter((file) => /\.node["'`]/.test(read(file))).map(part);
  t.deepEqual([...new Set(loading)], ["native"]);
});

test("only snapshot/publish.ts, agent.ts and commands that need no agent call the addons", (t) => {
  const callers = sources.filter(
    (file) => part(file) !== "native" && valueImports(file).some((f) => part(f) === "native"),
  );
  const allowed = /^src\/(agent\.ts|snapshot\/publish\.ts|cli\/commands\/\w+\.ts)$/;
  t.deepEqual(
    callers.filter((file) => !allowed.test(file)),
    [],
  );
});

test("only identity/x509.ts imports the X.509 library, for it comes with a polyfill", (t) => {
  t.deepEqual(
    sources.filter((file) => /@peculiar\/|reflect-metadata/.test(read(file))),
    ["src/identity/x509.ts"],
  );
});

test("N-API is behind one door for each language", (t) => {
  const cpp = globSync("native/datapath/**/*.{h,cc}", { cwd: root }).filter((file) => /[<"]napi\.h/.test(read(file)));
  const rust = globSync("native/proxy/core/**/*.{rs,toml}", { cwd: root }).filter((file) =>
    /\bnapi\b/.test(read(file)),
  );
  t.deepEqual(
    cpp.filter((file) => !/\/(addon|convert)\.(cc|h)$/.test(file)),
    [],
  );
  t.deepEqual(rust, []);
});

test("nothing in src waits for a clock, a random number or the environment at import time", (t) => {
  const impure = sources.filter((file) =>
    /^(export )?(const|let) \w+ = (Date\.now|Math\.random|process\.env)\b/m.test(read(file)),
  );
  t.deepEqual(impure, []);
});

/** Lines a file may have; what is longer hides more than one noun. */
const budgets: readonly { readonly files: string; readonly lines: number }[] = [
  { files: "{src,scripts}/**/*.ts", lines: 220 },
  { files: "test/**/*.ts", lines: 350 },
  { files: "bpf/*.{c,h}", lines: 450 },
  { files: "native/datapath/*.{cc,h}", lines: 350 },
  { files: "native/proxy/{core,node}/src/**/*.rs", lines: 350 },
  { files: "test/tools/*.{c,h}", lines: 350 },
];

/** Files that may be longer, each with its reason. */
const longer: Readonly<Record<string, string>> = {};

for (const { files, lines } of budgets) {
  test(`${files} have at most ${lines} lines each`, (t) => {
    const over = globSync(files, { cwd: root })
      .filter((file) => longer[file] === undefined && !file.endsWith("tests.rs"))
      .map((file) => ({ file, lines: read(file).split("\n").length - 1 }))
      .filter((size) => size.lines > lines);
    t.deepEqual(over, []);
  });
}

/** src/flows/ring.ts -> flows; src/agent.ts -> agent. */
function part(file: string): string {
  return (relative("src", file).split("/")[0] ?? "").replace(/\.ts$/, "");
}

function importsOf(file: string): string[] {
  return matchImports(file, /^\s*(?:import|export)\b[^;]*?from\s+"(\.[^"]+)"/gm);
}

/** Imports of more than types. */
function valueImports(file: string): string[] {
  return matchImports(file, /^\s*(?:import|export)\s+(?!type\b)(?!\{\s*type [^,}]*\})[^;]*?from\s+"(\.[^"]+)"/gm);
}

function matchImports(file: string, pattern: RegExp): string[] {
  return [...read(file).matchAll(pattern)].map((match) => join(dirname(file), match[1]!));
}
