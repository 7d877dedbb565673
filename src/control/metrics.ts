// The series of `weir control`. docs/control.md says the same, held by a test.
import type { Audit } from "../identity/audit.ts";
import type { CertificateServer } from "../identity/server.ts";
import type { Series } from "../metrics/catalogue.ts";
import { header, labelText, sample } from "../metrics/exposition.ts";

export interface ControlFigures {
  readonly audit: Audit;
  readonly server: Pick<CertificateServer, "connections" | "refused">;
  /** Requests being worked on. */
  readonly working: number;
  readonly pods: number;
  readonly roots: number;
  readonly problems: number;
  /** When the signing certificate ends; milliseconds since the epoch. */
  readonly signerNotAfter: number;
}

const series = (type: Series["type"], help: string, ...labels: string[]): Series => ({ type, help, labels });

export const controlCatalogue = {
  weir_ca_signed_total: series("counter", "Certificates signed for workloads."),
  weir_ca_requests_refused_total: series("counter", "Requests for a certificate that were refused, by why.", "reason"),
  weir_ca_requests_working: series("gauge", "Requests being worked on."),
  weir_ca_connections: series("gauge", "Connections that are open."),
  weir_ca_connections_refused_total: series("counter", "Connections that were not served, by why.", "reason"),
  weir_ca_pods: series("gauge", "Captured pods whose identity a node may ask for."),
  weir_ca_roots: series("gauge", "Root certificates peers are told to trust; more than one during a rotation."),
  weir_ca_signer_expiry_timestamp_seconds: series("gauge", "When the certificate that signs ends, in Unix time."),
  weir_ca_problems: series("gauge", "Things that are wrong: manifests, files of the authority, credentials."),
  weir_ca_resident_bytes: series("gauge", "Resident memory of the process."),
} as const satisfies Record<string, Series>;

type Reading = readonly [labelValues: readonly string[], value: number];

/** Prometheus text. */
export function renderControl(figures: ControlFigures): string {
  return Object.entries(read(figures))
    .map(([name, readings]) => {
      const known = controlCatalogue[name as keyof typeof controlCatalogue];
      const lines = readings.map(([values, value]) => sample(name, labelText(known.labels, values), value));
      return header(name, known) + lines.join("");
    })
    .join("");
}

function read(figures: ControlFigures): Record<keyof typeof controlCatalogue, readonly Reading[]> {
  const one = (value: number): Reading[] => [[[], value]];
  return {
    weir_ca_signed_total: one(figures.audit.signed),
    weir_ca_requests_refused_total: [...figures.audit.refused].map(([reason, count]): Reading => [[reason], count]),
    weir_ca_requests_working: one(figures.working),
    weir_ca_connections: one(figures.server.connections),
    weir_ca_connections_refused_total: Object.entries(figures.server.refused).map(
      ([reason, count]): Reading => [[reason], count],
    ),
    weir_ca_pods: one(figures.pods),
    weir_ca_roots: one(figures.roots),
    weir_ca_signer_expiry_timestamp_seconds: one(figures.signerNotAfter / 1000),
    weir_ca_problems: one(figures.problems),
    weir_ca_resident_bytes: one(process.memoryUsage.rss()),
  };
}
