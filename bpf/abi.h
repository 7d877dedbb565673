/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Every struct and enum that leaves the kernel, and nothing else. C++ includes this file; TypeScript and Rust
 * restate the parts they read, and test/kernel/abi.test.ts holds them against the BTF of the built objects.
 *
 * Addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so there is one code
 * path for both families. Ports are in host order. Times are CLOCK_MONOTONIC nanoseconds. Workload, service and policy
 * ids are assigned by the agent and never reused; 0 means unknown or none.
 */
#ifndef WEIR_ABI_H
#define WEIR_ABI_H

#include <linux/types.h>

#define WEIR_ABI_VERSION 1

struct address {
	__u32 word[4];
};

/* A connection as its client sees it, in the network namespace that looks it up. */
struct tuple {
	__u64 netns; /* SO_NETNS_COOKIE */
	struct address source;
	struct address destination;
	__u16 source_port;
	__u16 destination_port;
	__u32 reserved;
};

enum path_kind {
	PATH_NONE = 0,
	PATH_DIRECT = 1,       /* same node, both ends captured, verdict known: plain TCP between the two apps */
	PATH_PASS_THROUGH = 2, /* one end is not in the mesh */
	PATH_PROXIED = 3,      /* through the node proxy */
};

enum action {
	ACTION_NONE = 0, /* not cached: the node proxy evaluates */
	ACTION_ALLOW = 1,
	ACTION_DENY = 2,
	ACTION_PROXY = 3, /* allowed, but only through the node proxy */
};

/* Why a connection got its verdict. src/flows/reason.ts gives each a sentence. */
enum reason {
	REASON_NONE = 0,
	REASON_NO_POLICY = 1,          /* allow: no ALLOW policy selects the destination */
	REASON_ALLOW_RULE = 2,         /* allow: policy and rule say which */
	REASON_SELF = 3,               /* allow: a pod to itself */
	REASON_NOT_CAPTURED = 4,       /* allow: the destination is not in the mesh */
	REASON_FAIL_OPEN = 5,          /* allow: the node proxy is away and the namespace asked to fail open */
	REASON_DENY_RULE = 6,          /* deny: policy and rule say which */
	REASON_NO_ALLOW_MATCH = 7,     /* deny: ALLOW policies select the destination, none matches */
	REASON_CUSTOM = 8,             /* deny: a CUSTOM policy cannot be asked yet */
	REASON_NO_ENDPOINTS = 9,       /* deny: the Service has no ready endpoint */
	REASON_NO_SUCH_PORT = 10,      /* deny: the Service has no such port */
	REASON_PROXY_UNAVAILABLE = 11, /* deny: the node proxy is away and the namespace fails closed */
	REASON_CONNECTION_LIMIT = 12,  /* deny: the pod is at its connection limit */
	REASON_DIAL_FAILED = 13,       /* the far end refused or did not answer */
	REASON_REVOKED = 14,           /* a policy change ended the connection */
	REASON_PROXY_PORT = 15,        /* deny: an app dialled a listener of the node proxy */
	REASON_TABLE_FULL = 16,        /* deny: a kernel table or quota is full */
	REASON_SUBFLOW = 17,           /* deny: a later MPTCP subflow that would need the node proxy */
	REASON_REMOTE = 18,            /* allow: the node of the captured destination decides */
};

enum pod_flag {
	POD_FAIL_OPEN = 1 << 0, /* weir.dev/failure: open */
};

/* pods: a captured pod of this node, by the cookie of its network namespace. */
struct pod {
	struct address ipv4; /* zero when the pod has none */
	struct address ipv6;
	__u32 workload;
	__u32 flags; /* enum pod_flag */
	__u32 slot;  /* listeners: 2 * slot for IPv4, 2 * slot + 1 for IPv6 */
	__u32 reserved;
};

enum workload_flag {
	WORKLOAD_SERVICE = 1 << 0,  /* not a workload: the cluster address of a Service */
	WORKLOAD_LOCAL = 1 << 1,    /* runs on this node */
	WORKLOAD_CAPTURED = 1 << 2, /* in the mesh, on whichever node */
	WORKLOAD_PORT_SENSITIVE =
		1 << 3, /* a policy on it names ports: verdicts are cached per port, else for port 0 */
};

/* workloads: who an address is. */
struct workload {
	__u64 netns; /* cookie, when local and captured */
	__u32 workload;
	__u32 flags;      /* enum workload_flag */
	__u32 generation; /* of the policy that guards it; cached verdicts of earlier generations are dead */
	__u32 ifindex;    /* host side of its veth, when local and known */
};

struct service_key {
	struct address address;
	__u16 port;
	__u16 reserved[3];
};

/* services: a Service port. Endpoints are the rows (group, 0 .. endpoints - 1); a new list is a new group. */
struct service {
	__u32 service;
	__u32 group;
	__u32 endpoints;
	__u32 affinity_seconds; /* 0: no session affinity */
};

struct endpoint_key {
	__u32 group;
	__u32 index;
};

struct endpoint {
	struct address address;
	__u16 port;
	__u16 reserved[3];
};

struct affinity_key {
	struct address client;
	__u32 service;
	__u32 reserved;
};

struct affinity {
	__u64 used_ns;
	struct endpoint endpoint;
	__u32 group; /* the endpoint list it was last checked against */
	__u32 reserved;
};

struct verdict_key {
	struct address source;
	struct address destination;
	__u32 source_workload; /* 0: a client that is not captured on this node, known by address only */
	__u32 destination_workload;
	__u16 port; /* 0 unless WORKLOAD_PORT_SENSITIVE */
	__u16 reserved[3];
};

/* What policy said: the decision, and what the dry-run policies would have said. */
struct verdict {
	__u32 action; /* enum action */
	__u32 reason; /* enum reason */
	__u32 policy;
	__u32 rule;
	__u32 dry_run_action; /* ACTION_NONE: no dry-run policy selects the destination */
	__u32 dry_run_policy;
	__u32 dry_run_rule;
	__u32 generation;
};

/* admitted: a SYN that may pass. Under the destination's cookie it may reach the app; under the source's, leave the pod. */
struct admission {
	struct address client; /* what the app is told its peer is */
	__u16 client_port;
	__u16 path; /* enum path_kind */
	__u32 source_workload;
	__u32 destination_workload;
	__u32 service;
	__u32 slot; /* whose quota it counts against */
	__u32 reserved;
	struct verdict verdict;
};

/* redirected and sk_origin: where a connection handed to the node proxy was going. */
struct origin {
	struct address dialled;  /* what the app dialled */
	struct address endpoint; /* what was chosen for it */
	__u16 dialled_port;
	__u16 endpoint_port;
	__u32 source_workload;
	__u32 destination_workload;
	__u32 service;
};

/* sk_dialled: kept on a client's socket. */
struct dialled {
	struct origin origin;
	__u64 opened_ns;
	__u64 first_subflow; /* MPTCP: cookie of the subflow that connected first */
	__u32 path;          /* enum path_kind */
	__u32 flags;         /* enum dialled_flag */
	struct verdict verdict;
};

enum dialled_flag {
	DIALLED_ESTABLISHED = 1 << 0,
};

/* sk_accepted: kept on a socket the app accepted. */
struct accepted {
	struct admission admission;
	__u64 opened_ns;
};

enum exemption_flag {
	EXEMPTION_ADMIT = 1 << 0, /* the connection is the last hop to an app on this node */
};

/* sk_exempt: set by the node proxy on its own sockets, listeners included. */
struct exemption {
	struct address client; /* last hop: what the app is told its peer is */
	__u16 client_port;
	__u16 reserved;
	__u32 flags; /* enum exemption_flag */
	__u32 source_workload;
	__u32 destination_workload;
};

/* guards: whose packets come in by a host-side link. */
struct guard {
	__u64 netns;    /* cookie of the captured pod behind it */
	__u32 workload; /* 0: a neighbour on a bridge that carries captured pods */
	__u32 reserved;
	struct address ipv4; /* the pod's own, as in struct pod: most packets need no further look */
	struct address ipv6;
};

struct listening_key {
	__u64 netns;
	__u16 port;
	__u16 reserved[3];
};

enum record_kind {
	RECORD_OPEN = 1,
	RECORD_UPDATE = 2, /* a long connection, at least every 10 s */
	RECORD_CLOSE = 3,
	RECORD_DENY = 4,
};

enum end {
	END_SOURCE = 1,
	END_DESTINATION = 2,
};

enum record_flag {
	RECORD_FAILED = 1 << 0,    /* never established */
	RECORD_CLEARTEXT = 1 << 1, /* crossed to another node unencrypted */
	RECORD_RESET = 1 << 2,     /* ended by a reset */
};

/* One end of one connection at one moment. The kernel and the node proxy write the same layout. */
struct record {
	__u64 time_ns;
	__u64 connection; /* socket cookie at this end; the same in all records of the connection */
	__u64 duration_ns;
	__u64 bytes_to_server;
	__u64 bytes_to_client;
	struct address source;
	struct address destination;
	struct address dialled; /* the Service address, or the destination again */
	__u16 source_port;
	__u16 destination_port;
	__u16 dialled_port;
	__u8 kind;  /* enum record_kind */
	__u8 end;   /* enum end */
	__u8 path;  /* enum path_kind */
	__u8 flags; /* enum record_flag */
	__u16 reserved;
	__u32 source_workload; /* 0 unless proved */
	__u32 destination_workload;
	__u32 service;
	__u32 rtt_us; /* smoothed */
	__u32 retransmits;
	struct verdict verdict;
};

/* counters: per-CPU, one row each, monotonic. */
enum counter {
	COUNTER_RECORDS_LOST = 0,
	COUNTER_ADMITTED_FULL = 1,
	COUNTER_REDIRECTED_FULL = 2,
	COUNTER_QUOTA_EXCEEDED = 3,
	COUNTER_STORAGE_FAILED = 4,
	COUNTER_ORIGIN_SPOOFED = 5,     /* packets whose source is not the pod's */
	COUNTER_ORIGIN_UNKNOWN_SYN = 6, /* SYNs that no connect hook saw */
	COUNTER_NEIGHBOUR_SPOOFED = 7,  /* false ARP or ND claims */
	COUNTER_LOOKUP_CLOSED_PORT = 8,
	COUNTER_LOOKUP_PROXY_AWAY = 9,
	COUNTER_LOOKUP_PROXY_PORT = 10,
	COUNTER_VERDICT_HIT = 11,
	COUNTER_VERDICT_MISS = 12,
	COUNTER_CONNECT_DIRECT = 13,
	COUNTER_CONNECT_PASS_THROUGH = 14,
	COUNTER_CONNECT_PROXIED = 15,
	COUNTER_CONNECT_DENIED = 16,
	COUNTER_ENDPOINT_MISSING = 17, /* a Service row named an endpoint that was not there */
	COUNTER_LISTENING_FULL = 18,
	COUNTER_MAX = 19,
};

/* settings: one row. */
struct settings {
	__u64 hang_ns;      /* a heartbeat older than this means the node proxy hangs */
	__u64 max_stale_ns; /* cached verdicts hold this long after the last heartbeat */
	__u32 pod_quota;    /* half-open connections a pod may have in admitted */
	__u32 reserved;
};

#endif
