/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The cached verdict, and whether the node proxy is there to be asked for one. */
#ifndef WEIR_VERDICT_H
#define WEIR_VERDICT_H

#include "counter.h"

#include <stdbool.h>

static __always_inline __u64 heartbeat_age(__u64 now)
{
	__u32 zero = 0;
	__u64 *beat = bpf_map_lookup_elem(&heartbeat, &zero);

	return beat && *beat < now ? now - *beat : 0;
}

/*
 * Fills *verdict from the cache. A row of an earlier generation is dead, and so is every row max_stale after the last
 * heartbeat. One of a later generation was filled in ahead of the policy that is about to be in force.
 */
static __always_inline bool verdict_cached(const struct address *source, __u32 source_workload,
					   const struct address *destination, const struct workload *workload,
					   __u16 port, __u64 now, struct verdict *verdict)
{
	struct verdict_key key = {
		.source = *source,
		.destination = *destination,
		.source_workload = source_workload,
		.destination_workload = workload->workload,
		.port = workload->flags & WORKLOAD_PORT_SENSITIVE ? port : 0,
	};
	struct verdict *cached = bpf_map_lookup_elem(&verdicts, &key);
	__u32 zero = 0;
	struct settings *limits = bpf_map_lookup_elem(&settings, &zero);

	if (!cached || !limits || heartbeat_age(now) > limits->max_stale_ns) {
		count(COUNTER_VERDICT_MISS);
		return false;
	}
	*verdict = *cached;
	if (verdict->generation < workload->generation) {
		count(COUNTER_VERDICT_MISS);
		return false;
	}
	count(COUNTER_VERDICT_HIT);
	return true;
}

/* An empty slot is a dead agent, at once; an old heartbeat is a hung one. */
static __always_inline bool proxy_is_hung(__u64 now)
{
	__u32 zero = 0;
	struct settings *limits = bpf_map_lookup_elem(&settings, &zero);

	return !limits || heartbeat_age(now) > limits->hang_ns;
}

#endif
