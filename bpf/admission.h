/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The admitted table: a row a half-open connection, under a quota a pod. */
#ifndef WEIR_ADMISSION_H
#define WEIR_ADMISSION_H

#include "counter.h"

#include <stdbool.h>

#define EEXIST 17

static __always_inline __u32 *admission_quota(__u32 slot)
{
	return bpf_map_lookup_elem(&quotas, &slot);
}

static __always_inline bool admit(const struct tuple *tuple, const struct admission *admission)
{
	__u32 *used = admission_quota(admission->slot);
	__u32 zero = 0;
	struct settings *limits = bpf_map_lookup_elem(&settings, &zero);
	long error;

	if (!used || !limits)
		return false;
	if (*used >= limits->pod_quota) {
		count_loss(COUNTER_QUOTA_EXCEEDED);
		return false;
	}
	error = bpf_map_update_elem(&admitted, tuple, admission, BPF_NOEXIST);
	if (error == -EEXIST)
		return bpf_map_update_elem(&admitted, tuple, admission, BPF_EXIST) == 0;
	if (error) {
		count_loss(COUNTER_ADMITTED_FULL);
		return false;
	}
	__sync_fetch_and_add(used, 1);
	return true;
}

/*
 * The row goes when the server's end is established or the client's end is gone, whichever is first. Answers whether
 * there was one.
 */
static __always_inline bool admission_end(const struct tuple *tuple)
{
	struct admission *admission = bpf_map_lookup_elem(&admitted, tuple);
	__u32 *used;

	if (!admission)
		return false;
	used = admission_quota(admission->slot);
	if (bpf_map_delete_elem(&admitted, tuple) == 0 && used && *used)
		__sync_fetch_and_add(used, -1);
	return true;
}

#endif
