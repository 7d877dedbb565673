// GET /status
import type { FastifyInstance } from "fastify";
import { statusSchema } from "../schemas.ts";
import type { AdminSources } from "../sources.ts";

export async function statusRoutes(app: FastifyInstance, { sources }: { sources: AdminSources }): Promise<void> {
  app.get("/status", { schema: { response: { 200: statusSchema } } }, () => sources.status());
}
