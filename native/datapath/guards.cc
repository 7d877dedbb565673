// SPDX-License-Identifier: Apache-2.0
#include "guards.h"

#include <algorithm>
#include <map>
#include <set>

#include "error.h"

namespace weir
{

namespace
{

constexpr const char *no_veth =
	"No veth of this pod ends in the agent's network namespace, so its packets cannot be checked on the way out. "
	"Run the agent in the host's network namespace, and give pods veth interfaces.";
constexpr const char *attach_advice = " Packets with forged sources cannot be dropped; this needs Linux 6.6 (tcx).";

std::string link_name(uint32_t ifindex)
{
	return "origin-" + std::to_string(ifindex);
}

}

Guards::Guarded Guards::guard(uint64_t cookie, const struct pod &pod, int netns,
			      const std::vector<Interface> &interfaces)
{
	struct guard row = {};
	Guarded guarded = {};
	int32_t id = namespace_id(netns);
	std::set<uint32_t> ends;

	row.netns = cookie;
	row.workload = pod.workload;
	row.ipv4 = pod.ipv4;
	row.ipv6 = pod.ipv6;
	for (const Interface &interface : interfaces) {
		if (id < 0 || interface.peer_namespace != id || interface.kind != "veth")
			continue;
		try {
			if (ensure(interface.index, row))
				guarded.fixed.push_back("The origin guard was not in force on " + interface.name + ".");
		} catch (const Failure &failure) {
			guarded.unguarded = failure.what() + std::string(attach_advice);
		}
		ends.insert(interface.index);
		if (!guarded.ifindex)
			guarded.ifindex = interface.index;
	}
	for (const auto &[ifindex, other] : rows.rows())
		if (other.netns == cookie && other.workload && !ends.contains(ifindex))
			remove(ifindex);
	if (!guarded.ifindex)
		guarded.unguarded = no_veth;
	return guarded;
}

void Guards::release(uint64_t cookie)
{
	for (const auto &[ifindex, row] : rows.rows())
		if (row.netns == cookie && row.workload)
			remove(ifindex);
}

std::vector<std::string> Guards::guard_neighbours(const std::vector<Interface> &interfaces)
{
	std::set<uint32_t> bridges;
	std::set<uint32_t> pods;
	std::set<uint32_t> neighbours;
	std::vector<std::string> missing;
	auto before = rows.rows();

	for (const auto &[ifindex, row] : before)
		if (row.workload)
			pods.insert(ifindex);
	for (const Interface &interface : interfaces)
		if (pods.contains(interface.index) && interface.master)
			bridges.insert(interface.master);
	std::erase_if(bridges, [&](uint32_t master) {
		return std::none_of(interfaces.begin(), interfaces.end(), [&](const Interface &each) {
			return each.index == master && each.kind == "bridge";
		});
	});
	for (const Interface &interface : interfaces) {
		if (pods.contains(interface.index) || !bridges.contains(interface.master))
			continue;
		neighbours.insert(interface.index);
		if (ensure(interface.index, {}))
			missing.push_back("The neighbour guard was not in force on " + interface.name + ".");
	}
	for (const auto &[ifindex, row] : before)
		if (!row.workload && !neighbours.contains(ifindex))
			remove(ifindex);
	return missing;
}

bool Guards::ensure(uint32_t ifindex, const struct guard &row)
{
	std::string name = link_name(ifindex);
	auto before = rows.get(ifindex);
	bool attached = attachments.in_place(name, program_id(origin));

	if (before && same(*before, row) && attached)
		return false;
	rows.put(ifindex, row);
	try {
		if (!attached)
			attachments.put(name, origin, static_cast<int>(ifindex), attach_type_tcx_ingress);
	} catch (const Failure &) {
		remove(ifindex);
		throw;
	}
	return true;
}

void Guards::remove(uint32_t ifindex)
{
	attachments.remove(link_name(ifindex));
	rows.remove(ifindex);
}

}
