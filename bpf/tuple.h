/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The addresses and ports of a socket that sockops is called for. */
#ifndef WEIR_TUPLE_H
#define WEIR_TUPLE_H

#include "address.h"
#include "context.h"

#define AF_INET 2

/* The socket's own tuple: source is its local end. */
static __always_inline void tuple_of(struct bpf_sock_ops *ctx, struct tuple *tuple)
{
	__builtin_memset(tuple, 0, sizeof(*tuple));
	tuple->netns = bpf_get_netns_cookie(ctx);
	if (context_word(ctx, family) == AF_INET) {
		address_from_ipv4(&tuple->source, context_word(ctx, local_ip4));
		address_from_ipv4(&tuple->destination, context_word(ctx, remote_ip4));
	} else {
		tuple->source.word[0] = context_word(ctx, local_ip6[0]);
		tuple->source.word[1] = context_word(ctx, local_ip6[1]);
		tuple->source.word[2] = context_word(ctx, local_ip6[2]);
		tuple->source.word[3] = context_word(ctx, local_ip6[3]);
		tuple->destination.word[0] = context_word(ctx, remote_ip6[0]);
		tuple->destination.word[1] = context_word(ctx, remote_ip6[1]);
		tuple->destination.word[2] = context_word(ctx, remote_ip6[2]);
		tuple->destination.word[3] = context_word(ctx, remote_ip6[3]);
	}
	tuple->source_port = ctx->local_port;
	tuple->destination_port = bpf_ntohl(ctx->remote_port);
}

static __always_inline void tuple_swap(struct tuple *tuple)
{
	struct address address = tuple->source;
	__u16 port = tuple->source_port;

	tuple->source = tuple->destination;
	tuple->source_port = tuple->destination_port;
	tuple->destination = address;
	tuple->destination_port = port;
}

#endif
