// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/* connect(2) of captured pods: which endpoint, which path. */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "address.h"
#include "judge.h"
#include "maps.h"
#include "record.h"

char LICENSE[] SEC("license") = "GPL";

#define IPPROTO_TCP 6
#define ECONNREFUSED 111
#define CONNECT_REFUSE 0
#define CONNECT_PROCEED 1
#define NS_PER_S 1000000000ULL
#define AFFINITY_SCAN_MAX 1024
/* Rewritten ports stay below the default ephemeral range: from inside it, a socket could be made to dial itself. */
#define REDIRECT_PORT_MIN 1024
#define REDIRECT_PORT_COUNT 30000

struct attempt {
	struct bpf_sock_addr *ctx;
	struct bpf_sock *sk;
	const struct pod *pod;
	__u64 netns;
	struct dialled dialled;
};

struct affinity_scan {
	const struct service *service;
	const struct endpoint *wanted;
	bool found;
};

static long affinity_scan_step(__u32 index, struct affinity_scan *scan)
{
	struct endpoint_key key = { .group = scan->service->group, .index = index };
	struct endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &key);

	scan->found = endpoint && endpoint->port == scan->wanted->port &&
		      address_equal(&endpoint->address, &scan->wanted->address);
	return scan->found;
}

/* The endpoint this client keeps, as long as it is in the list. The list is read again only after it changed. */
static __always_inline bool affinity_keeps(const struct service *service, struct affinity *affinity, __u64 now)
{
	struct affinity_scan scan = { .service = service, .wanted = &affinity->endpoint };
	__u32 endpoints = service->endpoints < AFFINITY_SCAN_MAX ? service->endpoints : AFFINITY_SCAN_MAX;

	if (now - affinity->used_ns > service->affinity_seconds * NS_PER_S)
		return false;
	if (affinity->group == service->group)
		return true;
	bpf_loop(endpoints, affinity_scan_step, &scan, 0);
	return scan.found;
}

static __always_inline bool choose_endpoint(const struct service *service, const struct address *client, __u64 now,
					    struct endpoint *chosen)
{
	struct endpoint_key key = { .group = service->group };
	struct affinity_key who = { .client = *client, .service = service->service };
	struct affinity *affinity = 0;
	struct endpoint *endpoint;

	if (service->endpoints == 0)
		return false;
	if (service->affinity_seconds) {
		affinity = bpf_map_lookup_elem(&affinities, &who);
		if (affinity && affinity_keeps(service, affinity, now)) {
			*chosen = affinity->endpoint;
			affinity->used_ns = now;
			affinity->group = service->group;
			return true;
		}
	}
	key.index = bpf_get_prandom_u32() % service->endpoints;
	endpoint = bpf_map_lookup_elem(&endpoints, &key);
	if (!endpoint) {
		count(COUNTER_ENDPOINT_MISSING); /* between the reads, the list was replaced and the old one removed */
		return false;
	}
	*chosen = *endpoint;
	if (service->affinity_seconds) {
		struct affinity fresh = { .used_ns = now, .endpoint = *endpoint, .group = service->group };

		bpf_map_update_elem(&affinities, &who, &fresh, BPF_ANY);
	}
	return true;
}

static __always_inline const struct address *pod_address(const struct pod *pod, bool ipv4)
{
	return ipv4 ? &pod->ipv4 : &pod->ipv6;
}

static __always_inline void set_destination(struct bpf_sock_addr *ctx, const struct address *address, __u16 port,
					    bool ipv6)
{
	if (ipv6) {
		ctx->user_ip6[0] = address->word[0];
		ctx->user_ip6[1] = address->word[1];
		ctx->user_ip6[2] = address->word[2];
	}
	if (ipv6)
		ctx->user_ip6[3] = address->word[3];
	else
		ctx->user_ip4 = address->word[3];
	ctx->user_port = bpf_htons(port);
}

static __always_inline int refuse(struct attempt *attempt, __u32 reason)
{
	struct dialled *dialled = &attempt->dialled;
	struct record *record;

	if (reason) {
		dialled->verdict.action = ACTION_DENY;
		dialled->verdict.reason = reason;
	}
	count(COUNTER_CONNECT_DENIED);
	record = record_reserve();
	if (record) {
		record_dialled(record, dialled);
		record->kind = RECORD_DENY;
		/* Policy guards the destination, so its denials are told from there. */
		record->end = reason ? END_SOURCE : END_DESTINATION;
		record->connection = bpf_get_socket_cookie(attempt->ctx);
		record->source = *pod_address(attempt->pod, address_is_ipv4(&dialled->origin.endpoint));
		record->source_port = attempt->sk->src_port;
		record_submit(record);
	}
	bpf_set_retval(-ECONNREFUSED);
	return CONNECT_REFUSE;
}

/* A later subflow of an MPTCP connection cannot join one that ends in the node proxy. */
static __always_inline bool is_later_subflow(const struct attempt *attempt)
{
	struct mptcp_sock *msk = bpf_skc_to_mptcp_sock(attempt->sk);
	struct dialled *first = msk ? bpf_sk_storage_get(&sk_dialled, msk, 0, 0) : 0;

	return first && first->first_subflow != attempt->dialled.first_subflow && first->flags & DIALLED_ESTABLISHED;
}

static __always_inline bool proxy_is_away(const struct attempt *attempt, bool ipv4)
{
	__u32 slot = 2 * attempt->pod->slot + !ipv4;
	struct bpf_sock *listener;

	if (proxy_is_hung(attempt->dialled.opened_ns))
		return true;
	listener = bpf_map_lookup_elem(&listeners, &slot);
	if (!listener)
		return true;
	bpf_sk_release(listener);
	return false;
}

/* What was rewritten is remembered here; the rest before the SYN, by sockops, which keeps it out of connect's time. */
static __always_inline int proceed(struct attempt *attempt, bool ipv6, __u32 path)
{
	struct origin *origin = &attempt->dialled.origin;

	attempt->dialled.path = path;
	count(path == PATH_DIRECT ? COUNTER_CONNECT_DIRECT : COUNTER_CONNECT_PASS_THROUGH);
	if (!origin->service && attempt->dialled.verdict.reason != REASON_FAIL_OPEN)
		return CONNECT_PROCEED;
	attempt->dialled.first_subflow = bpf_get_socket_cookie(attempt->ctx);
	if (!remember(attempt->sk, &attempt->dialled))
		return refuse(attempt, REASON_TABLE_FULL);
	if (origin->service)
		set_destination(attempt->ctx, &origin->endpoint, origin->endpoint_port, ipv6);
	return CONNECT_PROCEED;
}

/*
 * Rewrites to the pod's own address, where its lookup program hands the SYN to the node proxy. The port tells
 * destinations apart, so that one source port can serve several.
 */
static __always_inline int redirect(struct attempt *attempt, bool ipv6)
{
	struct origin *origin = &attempt->dialled.origin;
	bool ipv4 = address_is_ipv4(&origin->dialled);
	const struct address *own = pod_address(attempt->pod, ipv4);
	__u32 hash = (origin->endpoint.word[3] * 2654435761u) ^ (origin->endpoint.word[1] * 40503u) ^
		     (origin->endpoint_port * 2246822519u);
	__u16 port = REDIRECT_PORT_MIN + (hash >> 8) % REDIRECT_PORT_COUNT;

	attempt->dialled.first_subflow = bpf_get_socket_cookie(attempt->ctx);
	if (is_later_subflow(attempt))
		return refuse(attempt, REASON_SUBFLOW);
	if (proxy_is_away(attempt, ipv4)) {
		if (!(attempt->pod->flags & POD_FAIL_OPEN))
			return refuse(attempt, REASON_PROXY_UNAVAILABLE);
		attempt->dialled.verdict.action = ACTION_ALLOW;
		attempt->dialled.verdict.reason = REASON_FAIL_OPEN;
		return proceed(attempt, ipv6, PATH_PASS_THROUGH);
	}
	if (port == attempt->sk->src_port)
		port++;
	attempt->dialled.path = PATH_PROXIED;
	if (address_is_zero(own) || !remember(attempt->sk, &attempt->dialled))
		return refuse(attempt, REASON_TABLE_FULL);
	set_destination(attempt->ctx, own, port, ipv6);
	count(COUNTER_CONNECT_PROXIED);
	return CONNECT_PROCEED;
}

/* Replaces a Service address by one of its endpoints. Answers why it cannot, or REASON_NONE. */
static __always_inline __u32 resolve(struct attempt *attempt)
{
	struct origin *origin = &attempt->dialled.origin;
	struct service_key key = { .address = origin->dialled, .port = origin->dialled_port };
	const struct address *own = pod_address(attempt->pod, address_is_ipv4(&origin->dialled));
	struct service *service = bpf_map_lookup_elem(&services, &key);
	struct endpoint chosen;

	if (!service)
		return REASON_NO_SUCH_PORT;
	origin->service = service->service;
	if (!choose_endpoint(service, own, attempt->dialled.opened_ns, &chosen))
		return REASON_NO_ENDPOINTS;
	origin->endpoint = chosen.address;
	origin->endpoint_port = chosen.port;
	return REASON_NONE;
}

static __always_inline int choose_path(struct attempt *attempt, bool ipv6)
{
	struct origin *origin = &attempt->dialled.origin;
	struct verdict *verdict = &attempt->dialled.verdict;
	struct workload *workload = bpf_map_lookup_elem(&workloads, &origin->endpoint);
	const struct address *own = pod_address(attempt->pod, address_is_ipv4(&origin->endpoint));
	__u32 reason;
	__u32 path;

	if (workload && workload->flags & WORKLOAD_SERVICE) {
		reason = resolve(attempt);
		if (reason)
			return refuse(attempt, reason);
		workload = bpf_map_lookup_elem(&workloads, &origin->endpoint);
	}
	path = judge(origin, own, attempt->netns, workload, attempt->dialled.opened_ns, verdict);
	if (path == PATH_PROXIED)
		return redirect(attempt, ipv6);
	return path == PATH_NONE ? refuse(attempt, REASON_NONE) : proceed(attempt, ipv6, path);
}

static __always_inline int on_connect(struct bpf_sock_addr *ctx, const struct address *destination, bool ipv6)
{
	__u64 netns = bpf_get_netns_cookie(ctx);
	struct pod *pod = bpf_map_lookup_elem(&pods, &netns);
	struct bpf_sock *sk = ctx->sk;

	if (!pod || !sk || ctx->protocol != IPPROTO_TCP)
		return CONNECT_PROCEED;
	/* A later subflow is a socket of its own and has nothing to forget. */
	if (bpf_sk_storage_get(&sk_dialled, sk, 0, 0))
		forget(sk);
	if (address_is_out_of_scope(destination) || bpf_sk_storage_get(&sk_exempt, sk, 0, 0))
		return CONNECT_PROCEED;

	struct attempt attempt = {
		.ctx = ctx,
		.sk = sk,
		.pod = pod,
		.netns = netns,
		.dialled = {
			.origin = {
				.dialled = *destination,
				.endpoint = *destination,
				.dialled_port = bpf_ntohs(ctx->user_port),
				.endpoint_port = bpf_ntohs(ctx->user_port),
				.source_workload = pod->workload,
			},
			.opened_ns = bpf_ktime_get_coarse_ns(), /* exact once the SYN leaves */
		},
	};
	return choose_path(&attempt, ipv6);
}

SEC("cgroup/connect4")
int weir_connect4(struct bpf_sock_addr *ctx)
{
	struct address destination;

	address_from_ipv4(&destination, ctx->user_ip4);
	return on_connect(ctx, &destination, false);
}

SEC("cgroup/connect6")
int weir_connect6(struct bpf_sock_addr *ctx)
{
	struct address destination = {
		.word = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] },
	};

	return on_connect(ctx, &destination, true);
}
