// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Which socket of a captured pod a SYN reaches: the app, the node proxy, or nobody. One instance a pod, since a lookup
 * program cannot ask in which network namespace it runs. It also runs for SYN-cookie ACKs and for stray segments.
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "address.h"
#include "context.h"
#include "counter.h"
#include "maps.h"
#include "verdict.h"

char LICENSE[] SEC("license") = "GPL";

#define AF_INET 2
#define IPPROTO_TCP 6

const volatile __u64 netns_cookie;
const volatile __u32 slot; /* of the pod; its listeners are 2 * slot and 2 * slot + 1 */

static __always_inline void tuple_of(struct bpf_sk_lookup *ctx, bool ipv4, struct tuple *tuple)
{
	__u32 source_port = bpf_ntohs((__u16)ctx->remote_port);
	__u32 destination_port = ctx->local_port;

	__builtin_memset(tuple, 0, sizeof(*tuple));
	tuple->netns = netns_cookie;
	if (ipv4) {
		address_from_ipv4(&tuple->source, context_word(ctx, remote_ip4));
		address_from_ipv4(&tuple->destination, context_word(ctx, local_ip4));
	} else {
		tuple->source.word[0] = context_word(ctx, remote_ip6[0]);
		tuple->source.word[1] = context_word(ctx, remote_ip6[1]);
		tuple->source.word[2] = context_word(ctx, remote_ip6[2]);
		tuple->source.word[3] = context_word(ctx, remote_ip6[3]);
		tuple->destination.word[0] = context_word(ctx, local_ip6[0]);
		tuple->destination.word[1] = context_word(ctx, local_ip6[1]);
		tuple->destination.word[2] = context_word(ctx, local_ip6[2]);
		tuple->destination.word[3] = context_word(ctx, local_ip6[3]);
	}
	tuple->source_port = source_port;
	tuple->destination_port = destination_port;
}

static __always_inline int hand_to_proxy(struct bpf_sk_lookup *ctx, bool ipv4, bool inbound)
{
	__u32 key = 2 * slot + !ipv4;
	__u64 netns = netns_cookie;
	struct pod *pod = bpf_map_lookup_elem(&pods, &netns);
	struct bpf_sock *listener = 0;
	long error = -1;

	if (!proxy_is_hung(bpf_ktime_get_ns()))
		listener = bpf_map_lookup_elem(&listeners, &key);
	if (listener) {
		error = bpf_sk_assign(ctx, listener, BPF_SK_LOOKUP_F_NO_REUSEPORT);
		bpf_sk_release(listener);
	}
	if (!error)
		return SK_PASS;
	count(COUNTER_LOOKUP_PROXY_AWAY);
	return inbound && pod && pod->flags & POD_FAIL_OPEN ? SK_PASS : SK_DROP;
}

static __always_inline bool dials_proxy_port(bool ipv4, __u16 port)
{
	__u32 key = 2 * slot + !ipv4;
	struct bpf_sock *listener = bpf_map_lookup_elem(&listeners, &key);
	bool same;

	if (!listener)
		return false;
	same = listener->src_port == port;
	bpf_sk_release(listener);
	return same;
}

static __always_inline bool has_listener(const struct tuple *tuple)
{
	struct listening_key key = { .netns = netns_cookie, .port = tuple->destination_port };

	return bpf_map_lookup_elem(&listening, &key) != 0;
}

/* A client outside the mesh whom policy is known to allow needs no proxy. An address of a captured workload proves nothing. */
static __always_inline bool is_allowed_plain(const struct tuple *tuple)
{
	struct workload *source = bpf_map_lookup_elem(&workloads, &tuple->source);
	struct workload *destination = bpf_map_lookup_elem(&workloads, &tuple->destination);
	struct verdict verdict;

	if (!destination || (source && source->flags & WORKLOAD_CAPTURED))
		return false;
	return verdict_cached(&tuple->source, 0, &tuple->destination, destination, tuple->destination_port,
			      bpf_ktime_get_ns(), &verdict) &&
	       verdict.action == ACTION_ALLOW;
}

SEC("sk_lookup")
int weir_lookup(struct bpf_sk_lookup *ctx)
{
	__u32 protocol = ctx->protocol;
	bool ipv4 = ctx->family == AF_INET;
	struct admission *admission;
	struct tuple tuple;

	if (protocol != IPPROTO_TCP)
		return SK_PASS;
	tuple_of(ctx, ipv4, &tuple);
	if (address_is_loopback(&tuple.destination)) {
		if (!dials_proxy_port(ipv4, tuple.destination_port))
			return SK_PASS;
		count(COUNTER_LOOKUP_PROXY_PORT);
		return SK_DROP;
	}
	if (bpf_map_lookup_elem(&redirected, &tuple))
		return hand_to_proxy(ctx, ipv4, false);
	admission = bpf_map_lookup_elem(&admitted, &tuple);
	/* A client that fails open lets its own packets out; who may come in is for this pod to say. */
	if (admission && admission->verdict.reason != REASON_FAIL_OPEN)
		return SK_PASS;
	if (!has_listener(&tuple)) {
		/* The client gets its reset. Dropping rather than passing: were the table wrong, nobody would get past policy. */
		count(COUNTER_LOOKUP_CLOSED_PORT);
		return SK_DROP;
	}
	if (is_allowed_plain(&tuple))
		return SK_PASS;
	return hand_to_proxy(ctx, ipv4, true);
}
