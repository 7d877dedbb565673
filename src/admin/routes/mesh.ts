// GET /workloads, /services, /policies: what the agent knows of the mesh.
import type { FastifyInstance } from "fastify";
import { listOf, namespaceQuery, policySchema, serviceSchema, workloadSchema } from "../schemas.ts";
import type { AdminSources } from "../sources.ts";
import { policyView, serviceView, workloadView } from "../views.ts";

interface Named {
  readonly namespace: string;
  readonly name: string;
}

export async function meshRoutes(app: FastifyInstance, { sources }: { sources: AdminSources }): Promise<void> {
  const route = <Value extends Named>(
    path: string,
    item: object,
    all: () => readonly Value[],
    view: (value: Value) => object,
  ) =>
    app.get<{ Querystring: { namespace?: string } }>(
      path,
      { schema: { querystring: namespaceQuery, response: { 200: listOf(item) } } },
      (request) => select(all(), request.query.namespace).map(view),
    );
  route("/workloads", workloadSchema, () => sources.workloads(), workloadView);
  route("/services", serviceSchema, () => sources.services(), serviceView);
  route("/policies", policySchema, () => sources.policies(), policyView);
}

const select = <Value extends Named>(values: readonly Value[], namespace: string | undefined): Value[] =>
  values
    .filter((value) => namespace === undefined || value.namespace === namespace)
    .sort((a, b) => order(a.namespace, b.namespace) || order(a.name, b.name));

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
