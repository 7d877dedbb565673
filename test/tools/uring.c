// SPDX-License-Identifier: Apache-2.0
// connect(2) as io_uring does it, over the bare system calls.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dial.h"

static void *map_ring(int ring, size_t size, off_t offset)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, offset);
}

int uring_connect(int fd, const struct sockaddr *address, socklen_t length)
{
	struct io_uring_params params;
	memset(&params, 0, sizeof(params));
	int ring = (int)syscall(__NR_io_uring_setup, 4, &params);
	if (ring < 0)
		return errno;
	size_t submit_size = params.sq_off.array + params.sq_entries * sizeof(uint32_t);
	size_t complete_size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
	uint8_t *submit = map_ring(ring, submit_size, IORING_OFF_SQ_RING);
	uint8_t *complete = map_ring(ring, complete_size, IORING_OFF_CQ_RING);
	struct io_uring_sqe *entries = map_ring(ring, params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	if (submit == MAP_FAILED || complete == MAP_FAILED || entries == MAP_FAILED)
		return errno;

	memset(&entries[0], 0, sizeof(entries[0]));
	entries[0].opcode = IORING_OP_CONNECT;
	entries[0].fd = fd;
	entries[0].addr = (uint64_t)(uintptr_t)address;
	entries[0].off = length;
	*(uint32_t *)(submit + params.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(submit + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(__NR_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return errno;
	int result = ((struct io_uring_cqe *)(complete + params.cq_off.cqes))[0].res;

	munmap(submit, submit_size);
	munmap(complete, complete_size);
	munmap(entries, params.sq_entries * sizeof(struct io_uring_sqe));
	close(ring);
	return result < 0 ? -result : 0;
}
