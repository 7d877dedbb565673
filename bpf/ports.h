/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The listening table: which ports of a captured pod have a listener. */
#ifndef WEIR_PORTS_H
#define WEIR_PORTS_H

#include "counter.h"

/* Has sockops called when the socket changes its state. */
static __always_inline void watch_state(struct bpf_sock_ops *ctx)
{
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

static __always_inline void on_listen(struct bpf_sock_ops *ctx, struct bpf_sock *sk)
{
	struct listening_key key = { .netns = bpf_get_netns_cookie(ctx), .port = ctx->local_port };
	__u32 one = 1;
	__u32 *sockets;

	if (!bpf_map_lookup_elem(&pods, &key.netns) || bpf_sk_storage_get(&sk_exempt, sk, 0, 0))
		return;
	watch_state(ctx);
	sockets = bpf_map_lookup_elem(&listening, &key);
	if (sockets)
		__sync_fetch_and_add(sockets, 1);
	else if (bpf_map_update_elem(&listening, &key, &one, BPF_ANY))
		count_loss(COUNTER_LISTENING_FULL);
}

/* A row that is left too long only sends a SYN to the node proxy, which finds the port closed. */
static __always_inline void on_listener_closed(struct bpf_sock_ops *ctx)
{
	struct listening_key key = { .netns = bpf_get_netns_cookie(ctx), .port = ctx->local_port };
	__u32 *sockets = bpf_map_lookup_elem(&listening, &key);

	if (sockets && __sync_fetch_and_add(sockets, -1) <= 1)
		bpf_map_delete_elem(&listening, &key);
}

#endif
