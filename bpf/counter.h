/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef WEIR_COUNTER_H
#define WEIR_COUNTER_H

#include "maps.h"

static __always_inline void count(__u32 counter)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		(*value)++; /* per-CPU; the hooks that count much should not pay for more */
}

/* For losses, which must be exact: a hook in a system call may be interrupted by one of a packet on the same CPU. */
static __always_inline void count_loss(__u32 counter)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		__sync_fetch_and_add(value, 1);
}

#endif
