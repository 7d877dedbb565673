// SPDX-License-Identifier: Apache-2.0
/* The thread that carries records from the kernel's ring buffer to JavaScript, in batches. */
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

struct ring_buffer;

namespace weir
{

class Events
{
public:
	/* Takes whole records, on the events thread. */
	using Deliver = std::function<void(std::vector<uint8_t> &&batch)>;

	Events(int records, Deliver deliver);
	/* Delivers what is still in the ring buffer, and ends the thread. */
	~Events();
	Events(const Events &) = delete;
	Events &operator=(const Events &) = delete;

private:
	static int on_record(void *context, void *data, size_t size);
	void run();
	void flush();

	Deliver deliver;
	std::vector<uint8_t> batch;
	ring_buffer *ring;
	std::atomic<bool> stopping = false;
	std::thread thread;
};

}
