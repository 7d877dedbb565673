import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { type ErrorCode, errorCatalogue, reasonOf, WeirError } from "../src/errors.ts";

test("docs/errors.md lists every error as the catalogue has it, and no other", (t) => {
  const document = readFileSync(join(import.meta.dirname, "../docs/errors.md"), "utf8");
  const sections = document.split(/^## /m).slice(1);
  const documented = Object.fromEntries(sections.map((section) => [section.split("\n", 1)[0], section]));
  t.deepEqual(Object.keys(documented).sort(), Object.keys(errorCatalogue).sort());
  for (const [code, { message, next, status, retryable }] of Object.entries(errorCatalogue)) {
    const lines = `- Says: ${message}\n- What to do: ${next}\n- Status ${status}, ${retryable ? "" : "not "}retryable\n`;
    t.true(documented[code]?.includes(lines), code);
  }
});

test("an error says what, where and what to do", (t) => {
  const cause = new Error("EACCES");
  const error = new WeirError("AGENT_UNREACHABLE", { socket: "/run/weir/a/admin.sock", why: reasonOf(cause) }, cause);
  t.is(error.message, "no agent answers on /run/weir/a/admin.sock: EACCES");
  t.like(error, { code: "AGENT_UNREACHABLE", status: 503, retryable: true, cause });
  t.regex(error.next, /weir agent/);
});

for (const code of Object.keys(errorCatalogue) as ErrorCode[]) {
  test(`${code} says what to do in a sentence`, (t) => {
    const { message, next } = errorCatalogue[code];
    t.regex(next, /^[A-Z].*\.$/);
    t.regex(message, /^[a-z{].*[^.]$/);
  });
}
