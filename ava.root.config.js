// The root lanes: real kernel hooks, namespaces as pods. One file and one test at a time: they share the cgroup root.
import { common } from "./ava.config.js";

export default {
  ...common,
  files: ["test/kernel/**/*.test.ts", "test/mesh/**/*.test.ts"],
  require: ["./test/helpers/one-at-a-time.ts"],
  concurrency: 1,
  serial: true,
  timeout: "300s",
};
