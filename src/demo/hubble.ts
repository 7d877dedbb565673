// A Hubble client of a few lines: what the hubble CLI asks, over the agent's socket.
import { resolve } from "node:path";
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

interface GetFlowsResponse {
  readonly flow?: {
    readonly source?: { readonly podName: string };
    readonly destination?: { readonly podName: string };
  };
}

/** How many of the last flows name both ends. */
export function hubbleFlows(socket: string, number: number): Promise<number> {
  const directory = resolve(import.meta.dirname, "../../proto/hubble");
  const definition = loadSync("observer.proto", { includeDirs: [directory] });
  const { Observer } = loadPackageDefinition(definition).observer as unknown as { Observer: ServiceClientConstructor };
  const client = new Observer(`unix://${socket}`, credentials.createInsecure());
  let named = 0;
  return new Promise((done, fail) => {
    client
      .GetFlows?.({ number })
      .on("data", ({ flow }: GetFlowsResponse) => {
        if (flow?.source?.podName && flow.destination?.podName) named++;
      })
      .on("error", fail)
      .on("end", () => done(named));
  }).finally(() => client.close()) as Promise<number>;
}
