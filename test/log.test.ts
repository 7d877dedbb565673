import test from "ava";
import { componentLog, createLog } from "../src/log.ts";

test("a log line is JSON with level, ISO time and the part that wrote it", (t) => {
  const lines: string[] = [];
  const log = createLog("info", { write: (line) => lines.push(line) });
  componentLog(log, "files").info({ file: "a.yaml" }, "read");
  log.debug("not at this level");
  t.is(lines.length, 1);
  const line = JSON.parse(lines[0] ?? "");
  t.like(line, { level: "info", component: "files", file: "a.yaml", msg: "read" });
  t.is(new Date(line.time).toISOString(), line.time);
});
