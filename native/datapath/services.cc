// SPDX-License-Identifier: Apache-2.0
#include "services.h"

namespace weir
{

namespace
{

/* Far longer than any connect hook runs, so that no call has to wait for one. */
constexpr std::chrono::seconds retirement{ 1 };

}

Services::Services(int services_map, int endpoints_map)
	: services("services", services_map), endpoints("endpoints", endpoints_map)
{
	for (const auto &[key, row] : services.rows()) {
		current.emplace(key, row);
		groups.insert(row.group);
	}
	for (const auto &[key, row] : endpoints.rows()) {
		if (groups.contains(key.group))
			endpoint_count++;
		else
			endpoints.remove(key);
	}
	if (!groups.empty())
		last_group = *groups.rbegin();
}

void Services::put(const ServiceRow &row)
{
	service next = {};

	sweep();
	next.service = row.service;
	next.group = write_group(row.endpoints);
	next.endpoints = static_cast<uint32_t>(row.endpoints.size());
	next.affinity_seconds = row.affinity_seconds;
	try {
		services.put(row.key, next);
	} catch (const Failure &) {
		remove_group(next.group, next.endpoints);
		throw;
	}
	auto before = current.find(row.key);
	if (before != current.end())
		retire(before->second);
	current.insert_or_assign(row.key, next);
}

void Services::remove(const service_key &key)
{
	auto before = current.find(key);

	if (before == current.end())
		return;
	services.remove(key);
	retire(before->second);
	current.erase(before);
}

std::vector<service_key> Services::keys() const
{
	std::vector<service_key> keys;

	keys.reserve(current.size());
	for (const auto &[key, row] : current)
		keys.push_back(key);
	return keys;
}

void Services::sweep()
{
	while (!retired.empty() && Clock::now() - retired.front().at > retirement) {
		remove_group(retired.front().group, retired.front().endpoints);
		retired.pop_front();
	}
}

uint32_t Services::write_group(const std::vector<endpoint> &list)
{
	do
		last_group++;
	while (!last_group || groups.contains(last_group));
	groups.insert(last_group);
	uint32_t written = 0;
	try {
		for (const endpoint &each : list) {
			endpoints.put({ .group = last_group, .index = written }, each);
			written++;
			endpoint_count++;
		}
	} catch (const Failure &) {
		remove_group(last_group, written);
		throw;
	}
	return last_group;
}

void Services::retire(const service &row)
{
	retired.push_back({ .at = Clock::now(), .group = row.group, .endpoints = row.endpoints });
}

void Services::remove_group(uint32_t group, uint32_t count)
{
	for (uint32_t index = 0; index < count; index++)
		endpoint_count -= endpoints.remove({ .group = group, .index = index });
	groups.erase(group);
}

}
