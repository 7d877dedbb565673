/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What a socket that closes says of its connection. */
#ifndef WEIR_CLOSING_H
#define WEIR_CLOSING_H

#include "abi.h"

#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#define SOCK_DONE 1 /* enum sock_flags */

/* The only field of a kernel struct that is read: no context shows whether the peer's FIN has come. */
struct sock_common {
	unsigned long skc_flags;
} __attribute__((preserve_access_index));

struct sock {
	struct sock_common __sk_common;
} __attribute__((preserve_access_index));

static __always_inline bool got_fin(struct bpf_sock *sk)
{
	struct sock *full = (struct sock *)bpf_skc_to_tcp_sock(sk);

	return full && full->__sk_common.skc_flags & 1UL << SOCK_DONE;
}

static __always_inline bool fin_is_acked(struct bpf_sock_ops *ctx)
{
	__u32 old = ctx->args[0];

	return old == BPF_TCP_FIN_WAIT2 || old == BPF_TCP_TIME_WAIT ||
	       ((old == BPF_TCP_LAST_ACK || old == BPF_TCP_CLOSING) && ctx->snd_una == ctx->snd_nxt);
}

/* The kernel's byte counts follow sequence numbers, so SYN and FIN count one each. */
static __always_inline __u64 bytes_sent(struct bpf_sock_ops *ctx, bool client)
{
	__u64 bytes = ctx->bytes_acked;
	__u64 control = (client ? 1 : 0) + (fin_is_acked(ctx) ? 1 : 0);

	return bytes > control ? bytes - control : 0;
}

static __always_inline __u64 bytes_received(struct bpf_sock_ops *ctx, struct bpf_sock *sk)
{
	__u64 bytes = ctx->bytes_received;

	return bytes && got_fin(sk) ? bytes - 1 : bytes;
}

static __always_inline void record_close(struct bpf_sock_ops *ctx, struct record *record, __u64 opened_ns)
{
	record->kind = RECORD_CLOSE;
	record->connection = bpf_get_socket_cookie(ctx);
	record->duration_ns = record->time_ns - opened_ns;
	record->rtt_us = ctx->srtt_us >> 3;
	record->retransmits = ctx->total_retrans;
}

#endif
