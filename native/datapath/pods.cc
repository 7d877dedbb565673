// SPDX-License-Identifier: Apache-2.0
#include "pods.h"

#include <algorithm>

#include "error.h"
#include "netns.h"
#include "pins.h"

namespace weir
{

namespace
{

constexpr uint32_t slots = 1024;
constexpr const char *lookup_prefix = "lookup-";

std::string link_name(uint64_t cookie)
{
	return lookup_prefix + std::to_string(cookie);
}

}

Pods::Pods(const Programs &programs, Attachments &attachments, Swap &swap)
	: programs(programs), attachments(attachments), rows("pods", programs.map("pods")),
	  quotas("quotas", programs.map("quotas")), admitted("admitted", programs.map("admitted")),
	  listening(programs.map("listening"), programs.map("listeners")),
	  guards(attachments, programs.map("guards"), programs.program("weir_origin"))
{
	for (const auto &[cookie, row] : rows.rows()) {
		Captured pod = { .row = row, .netns = "", .lookup_program = 0 };
		Fd program = programs.load_lookup(cookie, row.slot);
		if (swap.to(link_name(cookie), program.get()))
			pod.lookup_program = program_id(program.get());
		pods.emplace(cookie, pod);
	}
}

CapturedPod Pods::capture(const PodRequest &request)
{
	Fd netns = open_namespace(request.netns);
	uint64_t cookie = cookie_of_namespace(netns.get());
	auto found = pods.find(cookie);

	check_slot(cookie, request.row.slot);
	std::optional<Captured> before;
	if (found != pods.end())
		before = found->second;
	Captured next = { .row = request.row, .netns = request.netns, .lookup_program = 0 };
	if (before && before->row.slot == next.row.slot)
		next.lookup_program = before->lookup_program;
	pods.insert_or_assign(cookie, next);
	try {
		if (!before)
			quotas.put(next.row.slot, 0);
		Guards::Guarded guarded = put_in_force(cookie, netns.get());
		return { .cookie = cookie, .ifindex = guarded.ifindex, .unguarded = guarded.unguarded };
	} catch (const Failure &first) {
		try {
			undo(cookie, before);
		} catch (const Failure &) {
			/* The first failure is the one to tell. */
		}
		throw Failure(first);
	}
}

void Pods::release(uint64_t cookie)
{
	auto found = pods.find(cookie);
	std::optional<Failure> failure;
	auto attempt = [&](auto step) {
		try {
			step();
		} catch (const Failure &each) {
			if (!failure)
				failure = each;
		}
	};

	/* The guard first: without a row no connect hook admits a SYN, and the guard would drop it. */
	attempt([&] { guards.release(cookie); });
	attempt([&] { rows.remove(cookie); });
	attempt([&] { attachments.remove(link_name(cookie)); });
	attempt([&] { listening.remove(cookie); });
	if (found != pods.end()) {
		attempt([&] { forget_connections(cookie, found->second.row.slot); });
		pods.erase(found);
	}
	attempt([&] { guards.guard_neighbours(list_interfaces()); });
	if (failure)
		throw Failure(*failure);
}

std::vector<uint64_t> Pods::captured() const
{
	std::vector<uint64_t> cookies;

	for (const auto &[cookie, pod] : pods)
		cookies.push_back(cookie);
	return cookies;
}

std::vector<struct pod> Pods::described() const
{
	std::vector<struct pod> described;

	for (const auto &[cookie, pod] : pods)
		described.push_back(pod.row);
	return described;
}

Fd Pods::open(uint64_t cookie) const
{
	auto found = pods.find(cookie);

	if (found == pods.end())
		throw Failure("find the pod with cookie " + std::to_string(cookie), 0, "It is not captured.");
	if (found->second.netns.empty())
		throw Failure("find the network namespace with cookie " + std::to_string(cookie), 0,
			      "An earlier agent captured this pod; capture it again to say where its namespace is.");
	Fd netns = open_namespace(found->second.netns);
	if (cookie_of_namespace(netns.get()) != cookie)
		throw Failure("use " + found->second.netns, 0, "Another network namespace is there now.");
	return netns;
}

std::vector<std::string> Pods::repair()
{
	std::vector<std::string> found;
	std::vector<Interface> interfaces = list_interfaces();
	auto ports = listening.all();

	for (uint64_t cookie : captured()) {
		try {
			repair_pod(cookie, ports[cookie], interfaces, &found);
		} catch (const Failure &failure) {
			found.emplace_back(failure.what());
		}
	}
	for (const std::string &sentence : guards.guard_neighbours(interfaces))
		found.push_back(sentence);
	forget_strays();
	return found;
}

void Pods::repair_pod(uint64_t cookie, const Listening::Ports &ports, const std::vector<Interface> &interfaces,
		      std::vector<std::string> *found)
{
	const Captured &pod = pods.at(cookie);
	std::string who = "the pod with cookie " + std::to_string(cookie);

	Fd netns = reach(cookie);
	bool attached = attachments.alive(link_name(cookie));

	/* The kernel empties the link when the namespace goes: the pod is gone, which is no drift. */
	if (!netns && !attached)
		return release(cookie);
	auto row = rows.get(cookie);
	if (!row || !same(*row, pod.row)) {
		rows.put(cookie, pod.row);
		found->push_back("The row of " + who + " was " + (row ? "changed." : "missing."));
	}
	if (!netns)
		return;
	if (!lookup_in_place(cookie)) {
		attach_lookup(cookie, netns.get(), programs.load_lookup(cookie, pod.row.slot));
		found->push_back("The lookup program of " + who + " was not attached.");
	}
	for (uint16_t port : listening.repair(cookie, pod.row.slot, netns.get(), ports))
		found->push_back("Port " + std::to_string(port) + " of " + who + " listened and was not in the table.");
	for (const std::string &sentence : guards.guard(cookie, pod.row, netns.get(), interfaces).fixed)
		found->push_back(sentence);
}

Fd Pods::reach(uint64_t cookie) const
{
	try {
		return open(cookie);
	} catch (const Failure &) {
		return {};
	}
}

bool Pods::lookup_in_place(uint64_t cookie) const
{
	return attachments.in_place(link_name(cookie), pods.at(cookie).lookup_program);
}

void Pods::attach_lookup(uint64_t cookie, int netns, const Fd &program)
{
	attachments.put(link_name(cookie), program.get(), netns, BPF_SK_LOOKUP);
	pods.at(cookie).lookup_program = program_id(program.get());
}

void Pods::undo(uint64_t cookie, const std::optional<Captured> &before)
{
	if (!before)
		return release(cookie);
	pods.insert_or_assign(cookie, *before);
	rows.put(cookie, before->row);
}

void Pods::check_slot(uint64_t cookie, uint32_t slot) const
{
	if (slot >= slots)
		throw Failure("capture a pod in slot " + std::to_string(slot), 0,
			      "A node has " + std::to_string(slots) + " slots.");
	for (const auto &[other, pod] : pods)
		if (pod.row.slot == slot && other != cookie)
			throw Failure("capture a pod in slot " + std::to_string(slot), 0,
				      "The pod with cookie " + std::to_string(other) + " has it.");
}

/*
 * The row comes last: from then on connects are redirected, and need the lookup program. It takes what comes in before as
 * it does after. What started to listen meanwhile was not counted by sockops, so a new pod is looked at again.
 */
Guards::Guarded Pods::put_in_force(uint64_t cookie, int netns)
{
	const struct pod &row = pods.at(cookie).row;
	bool fresh = !rows.get(cookie);

	std::vector<Interface> interfaces = list_interfaces();
	listening.seed(cookie, row.slot, netns);
	if (!lookup_in_place(cookie))
		attach_lookup(cookie, netns, programs.load_lookup(cookie, row.slot));
	rows.put(cookie, row);
	if (fresh)
		listening.seed(cookie, row.slot, netns);
	Guards::Guarded guarded = guards.guard(cookie, row, netns, interfaces);
	guards.guard_neighbours(interfaces);
	return guarded;
}

/*
 * Half-open connections of a pod that is no longer captured; those on their way to the node proxy still get there. Rows that
 * count against other pods give back their share.
 */
void Pods::forget_connections(uint64_t cookie, uint32_t slot)
{
	for (const auto &[key, row] : admitted.rows()) {
		if (key.netns != cookie && row.slot != slot)
			continue;
		if (admitted.remove(key) && row.slot != slot)
			give_back(row.slot);
	}
	quotas.put(slot, 0);
}

/* A SYN on its way while its pod was released leaves a row that nobody looks up, and a share of the quota with it. */
void Pods::forget_strays()
{
	for (const auto &[key, row] : admitted.rows())
		if (!pods.contains(key.netns) && admitted.remove(key))
			give_back(row.slot);
}

void Pods::give_back(uint32_t slot)
{
	quotas.put(slot, std::max(quotas.get(slot).value_or(1), 1U) - 1);
}

}
