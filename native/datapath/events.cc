// SPDX-License-Identifier: Apache-2.0
#include "events.h"

#include <bpf/libbpf.h>

#include <cerrno>

#include "error.h"
#include "keys.h"

namespace weir
{

namespace
{

/* The kernel side wakes nobody for a single record, so that connections stay cheap; look this often. */
constexpr int look_ms = 50;
constexpr size_t batch_bytes = 1024 * sizeof(struct record);

}

Events::Events(int records, Deliver deliver) : deliver(std::move(deliver))
{
	ring = ring_buffer__new(records, on_record, this, nullptr);
	if (!ring)
		throw Failure("read the ring buffer of records", errno);
	thread = std::thread([this] { run(); });
}

Events::~Events()
{
	stopping = true;
	thread.join();
	ring_buffer__free(ring);
}

int Events::on_record(void *context, void *data, size_t size)
{
	auto *self = static_cast<Events *>(context);
	const auto *bytes = static_cast<const uint8_t *>(data);

	if (size < sizeof(struct record))
		return 0;
	self->batch.insert(self->batch.end(), bytes, bytes + sizeof(struct record));
	if (self->batch.size() >= batch_bytes)
		self->flush();
	return 0;
}

void Events::run()
{
	bool last;

	do {
		last = stopping;
		ring_buffer__poll(ring, last ? 0 : look_ms);
		ring_buffer__consume(ring);
		flush();
	} while (!last);
}

void Events::flush()
{
	if (batch.empty())
		return;
	deliver(std::move(batch));
	batch = {};
}

}
