// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * getpeername(2), and accept(2)'s address: a client sees the address it dialled, a server the true client, whatever
 * the packets say. Answers from the socket alone, so that it stays right after the pod left the mesh.
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "address.h"
#include "maps.h"

char LICENSE[] SEC("license") = "GPL";

#define PEERNAME_PROCEED 1

struct peer {
	struct address address;
	__u16 port;
};

static __always_inline bool true_peer(struct bpf_sock *sk, struct peer *peer)
{
	struct dialled *dialled = bpf_sk_storage_get(&sk_dialled, sk, 0, 0);
	struct accepted *accepted;

	if (dialled) {
		peer->address = dialled->origin.dialled;
		peer->port = dialled->origin.dialled_port;
		return true;
	}
	accepted = bpf_sk_storage_get(&sk_accepted, sk, 0, 0);
	if (!accepted || address_is_zero(&accepted->admission.client))
		return false;
	peer->address = accepted->admission.client;
	peer->port = accepted->admission.client_port;
	return true;
}

SEC("cgroup/getpeername4")
int weir_getpeername4(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct peer peer;

	if (!sk || !true_peer(sk, &peer))
		return PEERNAME_PROCEED;
	ctx->user_ip4 = peer.address.word[3];
	ctx->user_port = bpf_htons(peer.port);
	return PEERNAME_PROCEED;
}

SEC("cgroup/getpeername6")
int weir_getpeername6(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct peer peer;

	if (!sk || !true_peer(sk, &peer))
		return PEERNAME_PROCEED;
	ctx->user_ip6[0] = peer.address.word[0];
	ctx->user_ip6[1] = peer.address.word[1];
	ctx->user_ip6[2] = peer.address.word[2];
	ctx->user_ip6[3] = peer.address.word[3];
	ctx->user_port = bpf_htons(peer.port);
	return PEERNAME_PROCEED;
}
