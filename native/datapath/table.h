// SPDX-License-Identifier: Apache-2.0
/* Rows of a BPF map, typed. Does not own the map's descriptor. */
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <bpf/bpf.h>

#include "error.h"

namespace weir
{

/* Calls `visit(keys, values, count)` for each run of rows of a hash map. */
template <typename Visit>
void for_each_batch(const std::string &name, int map, size_t key, size_t value, Visit visit)
{
	constexpr uint32_t first_batch = 4096;
	uint32_t batch = first_batch;
	uint32_t position = 0;
	bool started = false;
	std::vector<char> keys(batch * key);
	std::vector<char> values(batch * value);

	for (;;) {
		uint32_t count = batch;
		int error = -bpf_map_lookup_batch(map, started ? &position : nullptr, &position, keys.data(),
						  values.data(), &count, nullptr);
		if (error == ENOSPC) { /* one bucket has more rows than the buffer */
			batch *= 2;
			keys.resize(batch * key);
			values.resize(batch * value);
			continue;
		}
		if (error && error != ENOENT)
			throw Failure("read the table " + name, error);
		visit(keys.data(), values.data(), count);
		if (error == ENOENT)
			return;
		started = true;
	}
}

template <typename Key, typename Value>
class Table
{
public:
	Table(std::string name, int map) : name(std::move(name)), map(map) {}

	void put(const Key &key, const Value &value)
	{
		int error = error_of(bpf_map_update_elem(map, &key, &value, BPF_ANY));
		if (error)
			throw Failure("write a row of the table " + name, error,
				      error == E2BIG || error == ENOSPC ? "The table is full." : "");
	}

	std::optional<Value> get(const Key &key) const
	{
		Value value;

		if (bpf_map_lookup_elem(map, &key, &value))
			return std::nullopt;
		return value;
	}

	/* Answers whether there was such a row. */
	bool remove(const Key &key)
	{
		int error = error_of(bpf_map_delete_elem(map, &key));
		if (error && error != ENOENT)
			throw Failure("remove a row of the table " + name, error);
		return !error;
	}

	/* A row written meanwhile may be missing. Only for hash maps. */
	std::vector<std::pair<Key, Value>> rows() const
	{
		std::vector<std::pair<Key, Value>> found;

		for_each_batch(name, map, sizeof(Key), sizeof(Value),
			       [&](const char *keys, const char *values, size_t count) {
				       for (size_t i = 0; i < count; i++) {
					       auto &row = found.emplace_back();
					       memcpy(&row.first, keys + i * sizeof(Key), sizeof(Key));
					       memcpy(&row.second, values + i * sizeof(Value), sizeof(Value));
				       }
			       });
		return found;
	}

private:
	std::string name;
	int map;
};

}
