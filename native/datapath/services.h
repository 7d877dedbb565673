// SPDX-License-Identifier: Apache-2.0
/* Services and their endpoint lists. A connect hook sees the old list or the new one, never a mixture. */
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include "keys.h"
#include "table.h"

namespace weir
{

struct ServiceRow {
	service_key key;
	uint32_t service;
	uint32_t affinity_seconds;
	std::vector<endpoint> endpoints;
};

class Services
{
public:
	/* Reads what an earlier agent left, and removes lists that no Service names. */
	Services(int services, int endpoints);

	void put(const ServiceRow &row);
	void remove(const service_key &key);
	std::vector<service_key> keys() const;
	size_t endpoint_rows() const { return endpoint_count; }

	/* Removes lists that were replaced long enough ago that no hook can still be reading them. */
	void sweep();

private:
	using Clock = std::chrono::steady_clock;

	uint32_t write_group(const std::vector<endpoint> &endpoints);
	void retire(const service &row);
	void remove_group(uint32_t group, uint32_t endpoints);

	struct Retired {
		Clock::time_point at;
		uint32_t group;
		uint32_t endpoints;
	};

	Table<service_key, service> services;
	Table<endpoint_key, endpoint> endpoints;
	std::map<service_key, service, Bytes<service_key>> current;
	std::set<uint32_t> groups; /* in use, retired ones included */
	std::deque<Retired> retired;
	uint32_t last_group = 0;
	size_t endpoint_count = 0;
};

}
