// A certificate service on real sockets, and an independent client of its protocol.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { ExecutionContext } from "ava";
import { type ControlFlags, parseControlConfig } from "../../src/control/config.ts";
import { startControl } from "../../src/control.ts";
import { createLog } from "../../src/log.ts";
import { scratch } from "../helpers/resources.ts";

// biome-ignore lint/suspicious/noExplicitAny: messages as the wire has them
type Message = any;

const proto = new URL("../../proto", import.meta.url).pathname;
const loaded: Message = grpc.loadPackageDefinition(
  loadSync("istio/ca.proto", { includeDirs: [proto], keepCase: true, longs: Number }),
);

export const podManifest = (name: string, uid: string, node: string, address: string, more = "") => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: shop, uid: ${uid}${more}}
spec: {nodeName: ${node}, serviceAccountName: ${name}}
status: {podIPs: [{ip: ${address}}]}
`;

const shop = `apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {weir.dev/capture: enabled}}
${podManifest("web", "u-web", "a", "10.0.0.1")}${podManifest("cart", "u-cart", "b", "10.0.0.2")}
${podManifest("plain", "u-plain", "a", "10.0.0.3", ", labels: {weir.dev/capture: disabled}")}`;

export interface Ask {
  readonly csr?: string;
  readonly token?: string | undefined;
  readonly identity?: string | undefined;
  readonly uid?: string | undefined;
  readonly ttl?: number;
}

export interface Answer {
  /** Empty when the request was refused. */
  readonly chain: readonly string[];
  /** A name of grpc.status. */
  readonly code: string;
  readonly details: string;
}

/** Starts `weir control` in this process, on ports of the kernel's choice. */
export async function service(t: ExecutionContext, flags: ControlFlags = {}, reuse?: string) {
  const base = reuse ?? scratch(t);
  const sourceDirectory = join(base, "source");
  const caDir = flags.caDir ?? join(base, "ca");
  mkdirSync(sourceDirectory, { recursive: true });
  const write = (text: string) => {
    writeFileSync(join(base, "pods.yaml"), text);
    renameSync(join(base, "pods.yaml"), join(sourceDirectory, "pods.yaml"));
  };
  write(shop);
  const lines: Message[] = [];
  const log = createLog("info", { write: (line) => void lines.push(JSON.parse(line)) });
  const addresses = { listen: "127.0.0.1:0", metricsAddress: "127.0.0.1:0" };
  const config = parseControlConfig({ source: `file:${sourceDirectory}`, ...addresses, ...flags, caDir });
  const control = await startControl(config, log);
  t.teardown(() => control.stop());
  const file = (name: string) => readFileSync(join(caDir, name), "utf8");
  return {
    ...{ base, caDir, control, write, shop },
    token: (node: string) => file(`nodes/${node}.token`).trim(),
    roots: () => file("root-cert.pem"),
    audit: () => lines.filter(({ component }) => component === "audit"),
    metrics: async () => (await fetch(`http://127.0.0.1:${control.metricsPort}/metrics`)).text(),
    client: (roots = file("root-cert.pem")) => client(t, control.port, roots),
  };
}

/** Asks over a connection of its own, which trusts these roots only. */
function client(t: ExecutionContext, port: number, roots: string) {
  const credentials = grpc.credentials.createSsl(Buffer.from(roots));
  const named = { "grpc.ssl_target_name_override": "localhost", "grpc.default_authority": "localhost" };
  const stub = new loaded.istio.v1.auth.IstioCertificateService(`127.0.0.1:${port}`, credentials, named);
  t.teardown(() => stub.close());
  return (ask: Ask): Promise<Answer> => {
    const { csr = "", token, identity, uid, ttl = 0 } = ask;
    const metadata = new grpc.Metadata();
    if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
    const fields = {
      ...(identity !== undefined && { ImpersonatedIdentity: { stringValue: identity } }),
      ...(uid !== undefined && { WeirPodUID: { stringValue: uid } }),
    };
    const request = { csr, validity_duration: ttl, metadata: { fields } };
    return new Promise((resolve) =>
      stub.CreateCertificate(request, metadata, { deadline: Date.now() + 20_000 }, (error: Message, answer: Message) =>
        resolve({
          chain: answer?.cert_chain ?? [],
          code: grpc.status[error?.code ?? 0]!,
          details: error?.details ?? "",
        }),
      ),
    );
  };
}
