// The fast lane: no root, files in parallel.
export const common = {
  extensions: { ts: "module" },
  // Network namespaces belong to threads, and the addons are loaded once per process.
  workerThreads: false,
  nodeArguments: ["--disable-warning=ExperimentalWarning"],
};

export default {
  ...common,
  files: ["test/**/*.test.ts", "!test/kernel/**", "!test/mesh/**"],
  timeout: "60s",
};
