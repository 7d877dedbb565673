// Every series Weir exposes: name, type, help, labels. docs/metrics.md says the same, held by a test.

export interface Series {
  readonly type: "counter" | "gauge" | "summary";
  readonly help: string;
  readonly labels: readonly string[];
}

const sideLabels = (side: "source" | "destination"): string[] =>
  [
    "workload",
    "workload_namespace",
    "canonical_service",
    "canonical_revision",
    "app",
    "version",
    "principal",
    "cluster",
  ].map((label) => `${side}_${label}`);

/** Labels of the Istio standard series, in the order they are printed. */
export const trafficLabels = [
  "reporter",
  ...sideLabels("source"),
  ...sideLabels("destination"),
  "destination_service",
  "destination_service_name",
  "destination_service_namespace",
  "request_protocol",
  "response_flags",
  "connection_security_policy",
] as const;

const traffic = (help: string): Series => ({ type: "counter", help, labels: trafficLabels });
const counter = (help: string, ...labels: string[]): Series => ({ type: "counter", help, labels });
const gauge = (help: string, ...labels: string[]): Series => ({ type: "gauge", help, labels });
const summary = (help: string, ...labels: string[]): Series => ({ type: "summary", help, labels });

/** Istio's standard names, so that Kiali and the Istio dashboards work. */
export const trafficCatalogue = {
  istio_tcp_connections_opened_total: traffic("Connections opened."),
  istio_tcp_connections_closed_total: traffic("Connections closed."),
  istio_tcp_sent_bytes_total: traffic("Bytes from server to client, whichever end reports."),
  istio_tcp_received_bytes_total: traffic("Bytes from client to server, whichever end reports."),
} as const satisfies Record<string, Series>;

export const internalCatalogue = {
  weir_build_info: gauge("Always 1; the labels say what runs.", "version", "node"),
  weir_config_version: gauge("Version of the configuration in force."),
  weir_config_age_seconds: gauge("Time since the configuration in force was put in force."),
  weir_config_problems: gauge("Objects or files that cannot be used; their last good state stays in force."),
  weir_pods_captured: gauge("Pods of this node under Weir."),
  weir_kernel_events_total: counter("What the kernel programs counted, by enum counter of bpf/abi.h.", "event"),
  weir_kernel_table_rows: gauge("Rows in a kernel table.", "table"),
  weir_kernel_table_capacity: gauge("Rows a kernel table can have.", "table"),
  weir_drift_repaired_total: counter("Kernel state that was not as set and was put right."),
  weir_proxy_connections: gauge("Connections the node proxy carries."),
  weir_proxy_connections_total: counter("Connections the node proxy has carried."),
  weir_proxy_refused_total: counter("Connections refused because a pod was at its limit."),
  weir_proxy_dial_failures_total: counter("Connections whose far end refused or did not answer."),
  weir_proxy_revoked_total: counter("Connections ended by a policy change."),
  weir_proxy_bytes_total: counter("Bytes forwarded, both directions."),
  weir_proxy_verdict_writes_total: counter("Verdicts written to the kernel's cache."),
  weir_proxy_verdict_write_failures_total: counter("Verdicts the kernel's cache did not take."),
  weir_proxy_descriptors: gauge("Open file descriptors."),
  weir_proxy_descriptor_limit: gauge("File descriptors the process may have."),
  weir_proxy_snapshot_version: gauge("Version of the snapshot the node proxy works by."),
  weir_proxy_allocated_bytes: gauge("Bytes allocated by the node proxy."),
  weir_flow_rows_total: counter("Flow records taken in."),
  weir_flow_rows_lost_total: counter("Flow records lost before they were taken in, by who lost them.", "source"),
  weir_flow_ring_rows: gauge("Flow records kept in memory.", "kind"),
  weir_flow_ring_capacity: gauge("Flow records memory has room for."),
  weir_live_connections: gauge("Open connections of the kernel paths."),
  weir_live_connections_overflowed_total: counter("Connections that report no growth: too many are open."),
  weir_live_closes_lost_total: counter("Connections whose end was noticed by their absence only."),
  weir_traffic_label_sets: gauge("Label sets of the istio_tcp_ series; each is four series."),
  weir_traffic_overflowed_total: counter(
    "Records counted under the overflow labels because the series cap was reached.",
  ),
  weir_traffic_updates_skipped_total: counter("Growth reports left to be counted when the connection closes."),
  weir_event_loop_delay_seconds: summary("Event loop delay since the last scrape.", "quantile"),
  weir_process_resident_bytes: gauge("Resident memory of the agent process."),
  weir_node_heap_bytes: gauge("Heap of the JavaScript engine in use."),
} as const satisfies Record<string, Series>;

export type TrafficSeries = keyof typeof trafficCatalogue;
export type InternalSeries = keyof typeof internalCatalogue;
