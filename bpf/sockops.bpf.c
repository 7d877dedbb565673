// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/* The life of a captured pod's TCP sockets: what its SYN may reach, who its peer is, how it opened and closed. */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "address.h"
#include "admission.h"
#include "closing.h"
#include "judge.h"
#include "maps.h"
#include "ports.h"
#include "record.h"
#include "tuple.h"

char LICENSE[] SEC("license") = "GPL";

#define SOCKOPS_PROCEED 1

/* Under whose cookie a SYN is looked up: the local captured destination's, else the pod it leaves. */
static __always_inline __u64 admitting_netns(const struct tuple *tuple)
{
	struct workload *workload = bpf_map_lookup_elem(&workloads, &tuple->destination);

	return workload && workload->netns ? workload->netns : tuple->netns;
}

static __always_inline void end_admission(struct bpf_sock_ops *ctx)
{
	struct tuple tuple;

	tuple_of(ctx, &tuple);
	tuple.netns = admitting_netns(&tuple);
	admission_end(&tuple);
}

/* The destination may have joined the mesh since the SYN left: the row is where it was looked up then. */
static __always_inline void end_pass_through(struct bpf_sock_ops *ctx)
{
	struct tuple tuple;
	__u64 own;

	tuple_of(ctx, &tuple);
	own = tuple.netns;
	tuple.netns = admitting_netns(&tuple);
	if (admission_end(&tuple) || tuple.netns == own)
		return;
	tuple.netns = own;
	admission_end(&tuple);
}

static __always_inline void admit_dialled(const struct dialled *dialled, struct tuple *tuple, const struct pod *pod)
{
	struct admission admission = {
		.path = dialled->path,
		.source_workload = dialled->origin.source_workload,
		.destination_workload = dialled->origin.destination_workload,
		.service = dialled->origin.service,
		.slot = pod->slot,
		.verdict = dialled->verdict,
	};

	tuple->netns = admitting_netns(tuple);
	admit(tuple, &admission);
}

/* A pod may bind to an address that is not its own; that proves nothing. */
static __always_inline bool is_own(const struct pod *pod, const struct address *address)
{
	return address_equal(address, &pod->ipv4) || address_equal(address, &pod->ipv6);
}

/*
 * The SYN may leave long after connect() got its verdict (TCP_FASTOPEN_CONNECT waits for the first write), so what
 * goes without the node proxy is judged again. What fails here is not admitted: the node proxy at the other end takes it
 * as a stranger's, and the origin guard lets it go nowhere else.
 */
static __always_inline bool judge_again(const struct tuple *tuple, const struct pod *pod, struct dialled *dialled)
{
	struct origin *origin = &dialled->origin;
	struct workload *workload = bpf_map_lookup_elem(&workloads, &tuple->destination);
	__u32 expected = origin->destination_workload;
	__u32 path = judge(origin, &tuple->source, tuple->netns, workload, bpf_ktime_get_ns(), &dialled->verdict);

	dialled->path = path;
	if (path == PATH_PASS_THROUGH)
		return true;
	return path == PATH_DIRECT && is_own(pod, &tuple->source) &&
	       (!expected || expected == origin->destination_workload);
}

/* The address of the last hop may have changed hands since the node proxy asked: its new owner answers for itself. */
static __always_inline bool is_still(const struct address *address, __u32 id)
{
	struct workload *workload = bpf_map_lookup_elem(&workloads, address);

	return workload && workload->workload == id;
}

static __always_inline void admit_exempt(const struct exemption *exemption, struct tuple *tuple, const struct pod *pod)
{
	struct admission admission = {
		.client = exemption->client,
		.client_port = exemption->client_port,
		.path = PATH_PROXIED,
		.source_workload = exemption->source_workload,
		.destination_workload = exemption->destination_workload,
		.slot = pod->slot,
	};

	if (exemption->flags & EXEMPTION_ADMIT) {
		if (!is_still(&tuple->destination, exemption->destination_workload))
			return;
		tuple->netns = admitting_netns(tuple);
	}
	admit(tuple, &admission);
}

static __always_inline const struct pod *pod_of(const struct tuple *tuple)
{
	return bpf_map_lookup_elem(&pods, &tuple->netns);
}

/* connect() rewrote the destination: to an endpoint of a Service, or to the node proxy. */
static __always_inline void on_rewritten_connect(struct bpf_sock_ops *ctx, struct dialled *dialled)
{
	const struct pod *pod;
	struct tuple tuple;

	tuple_of(ctx, &tuple);
	pod = pod_of(&tuple);
	if (!pod)
		return;
	watch_state(ctx);
	dialled->opened_ns = bpf_ktime_get_ns();
	if (dialled->path == PATH_PROXIED) {
		if (bpf_map_update_elem(&redirected, &tuple, &dialled->origin, BPF_ANY))
			count_loss(COUNTER_REDIRECTED_FULL);
	} else if (dialled->verdict.reason == REASON_FAIL_OPEN || judge_again(&tuple, pod, dialled)) {
		admit_dialled(dialled, &tuple, pod);
	}
}

/* connect() let the destination be, or never asked: the pod was captured since. */
static __always_inline void on_plain_connect(struct bpf_sock_ops *ctx, struct bpf_sock *sk)
{
	struct dialled dialled = {};
	const struct pod *pod;
	struct tuple tuple;

	tuple_of(ctx, &tuple);
	pod = pod_of(&tuple);
	if (!pod || address_is_out_of_scope(&tuple.destination))
		return;
	dialled.origin.dialled = tuple.destination;
	dialled.origin.endpoint = tuple.destination;
	dialled.origin.dialled_port = tuple.destination_port;
	dialled.origin.endpoint_port = tuple.destination_port;
	dialled.origin.source_workload = pod->workload;
	dialled.opened_ns = bpf_ktime_get_ns();
	dialled.first_subflow = bpf_get_socket_cookie(ctx);
	if (!judge_again(&tuple, pod, &dialled) || !remember(sk, &dialled))
		return;
	watch_state(ctx);
	admit_dialled(&dialled, &tuple, pod);
}

static __always_inline void on_proxy_connect(struct bpf_sock_ops *ctx, const struct exemption *exemption)
{
	const struct pod *pod;
	struct tuple tuple;

	tuple_of(ctx, &tuple);
	pod = pod_of(&tuple);
	if (!pod)
		return;
	watch_state(ctx);
	admit_exempt(exemption, &tuple, pod);
}

/* Before the SYN. */
static __always_inline void on_connect(struct bpf_sock_ops *ctx, struct bpf_sock *sk)
{
	struct dialled *dialled = bpf_sk_storage_get(&sk_dialled, sk, 0, 0);
	struct exemption *exemption;

	if (dialled) {
		on_rewritten_connect(ctx, dialled);
		return;
	}
	exemption = bpf_sk_storage_get(&sk_exempt, sk, 0, 0);
	if (exemption)
		on_proxy_connect(ctx, exemption);
	else
		on_plain_connect(ctx, sk);
}

/* A server's end that is still to come needs its row; what leaves the pod has left. */
static __always_inline void on_proxy_established(struct bpf_sock_ops *ctx, struct bpf_sock *sk)
{
	struct exemption *exemption = bpf_sk_storage_get(&sk_exempt, sk, 0, 0);

	if (exemption && !(exemption->flags & EXEMPTION_ADMIT))
		end_admission(ctx);
}

static __always_inline void on_client_established(struct bpf_sock_ops *ctx, struct bpf_sock *sk)
{
	struct dialled *dialled = bpf_sk_storage_get(&sk_dialled, sk, 0, 0);
	struct mptcp_sock *msk;
	struct record *record;
	struct tuple tuple;

	if (!dialled) {
		on_proxy_established(ctx, sk);
		return;
	}
	dialled->flags |= DIALLED_ESTABLISHED;
	msk = bpf_skc_to_mptcp_sock(sk);
	if (msk) {
		struct dialled *first = bpf_sk_storage_get(&sk_dialled, msk, 0, 0);

		if (first)
			first->flags |= DIALLED_ESTABLISHED;
	}
	if (dialled->path == PATH_PROXIED)
		return;
	if (dialled->path == PATH_PASS_THROUGH)
		end_pass_through(ctx);
	record = record_reserve();
	if (!record)
		return;
	tuple_of(ctx, &tuple);
	record_dialled(record, dialled);
	record->kind = RECORD_OPEN;
	record->end = END_SOURCE;
	record->connection = bpf_get_socket_cookie(ctx);
	record->source = tuple.source;
	record->source_port = tuple.source_port;
	record_submit(record);
}

static __always_inline void record_accepted(struct record *record, const struct accepted *accepted,
					    const struct tuple *client)
{
	const struct admission *admission = &accepted->admission;

	record->end = END_DESTINATION;
	record->source = client->source;
	record->source_port = client->source_port;
	record->destination = client->destination;
	record->destination_port = client->destination_port;
	record->dialled = client->destination;
	record->dialled_port = client->destination_port;
	record->source_workload = admission->source_workload;
	record->destination_workload = admission->destination_workload;
	record->service = admission->service;
	record->path = admission->path;
	record->verdict = admission->verdict;
}

/* The node proxy accepted: where was this going. */
static __always_inline void hand_origin(struct bpf_sock *sk, const struct tuple *client)
{
	struct origin *origin = bpf_map_lookup_elem(&redirected, client);

	if (!origin)
		return; /* inbound: its own address says where */
	if (!bpf_sk_storage_get(&sk_origin, sk, origin, BPF_SK_STORAGE_GET_F_CREATE))
		count_loss(COUNTER_STORAGE_FAILED);
	bpf_map_delete_elem(&redirected, client);
}

/* A plain client that the lookup program let pass has no row in admitted; its verdict is still in the cache. */
static __always_inline void plain_admission(const struct tuple *client, struct admission *admission)
{
	struct workload *destination = bpf_map_lookup_elem(&workloads, &client->destination);

	admission->path = PATH_PASS_THROUGH; /* and source_workload stays 0: its address proves nothing */
	if (!destination)
		return;
	admission->destination_workload = destination->workload;
	if (!verdict_cached(&client->source, 0, &client->destination, destination, client->destination_port,
			    bpf_ktime_get_ns(), &admission->verdict))
		__builtin_memset(&admission->verdict, 0, sizeof(admission->verdict));
}

static __always_inline void on_server_established(struct bpf_sock_ops *ctx, struct bpf_sock *sk)
{
	struct accepted accepted = {};
	struct admission *admission;
	struct record *record;
	struct tuple client;

	tuple_of(ctx, &client);
	tuple_swap(&client);
	if (bpf_sk_storage_get(&sk_exempt, sk, 0, 0)) {
		hand_origin(sk, &client); /* also where the pod has just left the mesh */
		return;
	}
	if (!bpf_map_lookup_elem(&pods, &client.netns) || address_is_loopback(&client.destination))
		return;
	admission = bpf_map_lookup_elem(&admitted, &client);
	if (admission)
		accepted.admission = *admission;
	else
		plain_admission(&client, &accepted.admission);
	admission_end(&client);
	if (accepted.admission.path == PATH_DIRECT)
		return; /* the client's end, on this node too, is recorded for both */
	accepted.opened_ns = bpf_ktime_get_ns();
	if (!bpf_sk_storage_get(&sk_accepted, sk, &accepted, BPF_SK_STORAGE_GET_F_CREATE)) {
		count_loss(COUNTER_STORAGE_FAILED);
		return;
	}
	if (accepted.admission.path == PATH_PROXIED)
		return; /* the node proxy records it */
	watch_state(ctx);
	record = record_reserve();
	if (!record)
		return;
	record_accepted(record, &accepted, &client);
	record->kind = RECORD_OPEN;
	record->connection = bpf_get_socket_cookie(ctx);
	record_submit(record);
}

static __always_inline void on_client_closed(struct bpf_sock_ops *ctx, struct bpf_sock *sk,
					     const struct dialled *dialled)
{
	__u32 established = dialled->flags & DIALLED_ESTABLISHED;
	struct record *record;
	struct tuple tuple;

	tuple_of(ctx, &tuple);
	if (dialled->path == PATH_PROXIED) {
		bpf_map_delete_elem(&redirected, &tuple);
		return;
	}
	if (dialled->path == PATH_PASS_THROUGH)
		end_pass_through(ctx);
	else
		end_admission(ctx);
	record = record_reserve();
	if (!record)
		return;
	record_dialled(record, dialled);
	record_close(ctx, record, dialled->opened_ns);
	record->end = END_SOURCE;
	record->source = tuple.source;
	record->source_port = tuple.source_port;
	if (established) {
		record->bytes_to_server = bytes_sent(ctx, true);
		record->bytes_to_client = bytes_received(ctx, sk);
	} else {
		record->flags = RECORD_FAILED;
	}
	record_submit(record);
}

static __always_inline void on_server_closed(struct bpf_sock_ops *ctx, struct bpf_sock *sk,
					     const struct accepted *accepted)
{
	struct record *record;
	struct tuple client;

	if (accepted->admission.path == PATH_PROXIED)
		return;
	record = record_reserve();
	if (!record)
		return;
	tuple_of(ctx, &client);
	tuple_swap(&client);
	record_accepted(record, accepted, &client);
	record_close(ctx, record, accepted->opened_ns);
	record->bytes_to_server = bytes_received(ctx, sk);
	record->bytes_to_client = bytes_sent(ctx, false);
	record_submit(record);
}

static __always_inline void on_closed(struct bpf_sock_ops *ctx, struct bpf_sock *sk)
{
	struct dialled *dialled = bpf_sk_storage_get(&sk_dialled, sk, 0, 0);
	struct accepted *accepted;

	if (dialled) {
		on_client_closed(ctx, sk, dialled);
		return;
	}
	accepted = bpf_sk_storage_get(&sk_accepted, sk, 0, 0);
	if (accepted)
		on_server_closed(ctx, sk, accepted);
	else if (bpf_sk_storage_get(&sk_exempt, sk, 0, 0))
		end_admission(ctx);
}

SEC("sockops")
int weir_sockops(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	if (!sk)
		return SOCKOPS_PROCEED;
	switch (ctx->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		on_connect(ctx, sk);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		on_client_established(ctx, sk);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		on_server_established(ctx, sk);
		break;
	case BPF_SOCK_OPS_TCP_LISTEN_CB:
		on_listen(ctx, sk);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		if (ctx->args[0] == BPF_TCP_LISTEN)
			on_listener_closed(ctx);
		else if (ctx->args[1] == BPF_TCP_CLOSE)
			on_closed(ctx, sk);
		break;
	}
	return SOCKOPS_PROCEED;
}
