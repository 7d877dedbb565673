/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Which path a connection takes once its endpoint is chosen, and what is remembered of it on the client's socket. */
#ifndef WEIR_JUDGE_H
#define WEIR_JUDGE_H

#include "verdict.h"

/*
 * PATH_PROXIED when only the node proxy can tell or carry, PATH_NONE when policy denies. Fills in who the destination
 * is and the verdict. Called at connect(2), and again before the SYN, which may leave long after.
 */
static __always_inline __u32 judge(struct origin *origin, const struct address *source, __u64 netns,
				   const struct workload *workload, __u64 now, struct verdict *verdict)
{
	verdict->action = ACTION_ALLOW;
	if (workload)
		origin->destination_workload = workload->workload;
	if (!workload || !(workload->flags & WORKLOAD_CAPTURED)) {
		verdict->reason = REASON_NOT_CAPTURED;
		return PATH_PASS_THROUGH;
	}
	if (workload->netns == netns) {
		verdict->reason = REASON_SELF;
		return PATH_DIRECT;
	}
	if (!workload->netns) /* on another node */
		return PATH_PROXIED;
	if (!verdict_cached(source, origin->source_workload, &origin->endpoint, workload, origin->endpoint_port, now,
			    verdict))
		return PATH_PROXIED;
	if (verdict->action == ACTION_DENY)
		return PATH_NONE;
	return verdict->action == ACTION_ALLOW ? PATH_DIRECT : PATH_PROXIED;
}

/* Keeps what was dialled where getpeername and sockops find it; MPTCP asks the former on its own socket. */
static __always_inline struct dialled *remember(struct bpf_sock *sk, struct dialled *dialled)
{
	struct dialled *kept = bpf_sk_storage_get(&sk_dialled, sk, dialled, BPF_SK_STORAGE_GET_F_CREATE);
	struct mptcp_sock *msk = bpf_skc_to_mptcp_sock(sk);

	if (!kept)
		count(COUNTER_STORAGE_FAILED);
	if (msk)
		bpf_sk_storage_get(&sk_dialled, msk, dialled, BPF_SK_STORAGE_GET_F_CREATE);
	return kept;
}

/* Forgets an earlier connect() on this socket, which MPTCP keeps through a reconnect, and on its MPTCP socket. */
static __always_inline void forget(struct bpf_sock *sk)
{
	struct mptcp_sock *msk = bpf_skc_to_mptcp_sock(sk);

	bpf_sk_storage_delete(&sk_dialled, sk);
	if (msk)
		bpf_sk_storage_delete(&sk_dialled, msk);
}

#endif
