/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Records on their way up. What does not fit is counted, exactly. */
#ifndef WEIR_RECORD_H
#define WEIR_RECORD_H

#include "counter.h"

/* The reader looks every 50 ms by itself; waking it for each record would cost more than the record. */
#define RECORDS_WAKEUP_BYTES (512 * 1024)

static __always_inline struct record *record_reserve(void)
{
	struct record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);

	if (!record) {
		count_loss(COUNTER_RECORDS_LOST);
		return 0;
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->time_ns = bpf_ktime_get_ns();
	return record;
}

static __always_inline void record_submit(struct record *record)
{
	__u64 pending = bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA);

	bpf_ringbuf_submit(record, pending > RECORDS_WAKEUP_BYTES ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

/* Where a connection goes, as its client's socket remembers it. */
static __always_inline void record_dialled(struct record *record, const struct dialled *dialled)
{
	record->destination = dialled->origin.endpoint;
	record->destination_port = dialled->origin.endpoint_port;
	record->dialled = dialled->origin.dialled;
	record->dialled_port = dialled->origin.dialled_port;
	record->source_workload = dialled->origin.source_workload;
	record->destination_workload = dialled->origin.destination_workload;
	record->service = dialled->origin.service;
	record->path = dialled->path;
	record->verdict = dialled->verdict;
}

#endif
