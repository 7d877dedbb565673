// SPDX-License-Identifier: Apache-2.0
#include "datapath.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>

#include "cgroup.h"
#include "error.h"

namespace weir
{

namespace
{

constexpr const char *agent_pin = "/maps/agent";

struct RootHook {
	const char *link;
	const char *program;
	bpf_attach_type type;
};

constexpr RootHook root_hooks[] = {
	{ "sockops", "weir_sockops", BPF_CGROUP_SOCK_OPS },
	{ "getpeername4", "weir_getpeername4", BPF_CGROUP_INET4_GETPEERNAME },
	{ "getpeername6", "weir_getpeername6", BPF_CGROUP_INET6_GETPEERNAME },
	{ "connect4", "weir_connect4", BPF_CGROUP_INET4_CONNECT },
	{ "connect6", "weir_connect6", BPF_CGROUP_INET6_CONNECT },
};

Fd make_map(bpf_map_type type, const char *name, uint32_t value_size, const bpf_map_create_opts *options = nullptr)
{
	Fd map(bpf_map_create(type, name, sizeof(uint32_t), value_size, 1, options));

	if (!map)
		throw Failure(std::string("make the table ") + name, errno);
	return map;
}

}

Datapath::Datapath(const Options &options)
	: options(options), pins(options.node, options.bpffs), cgroup(open_cgroup_root()),
	  attachments(pins.final() + "/links")
{
	barrier_row = make_map(BPF_MAP_TYPE_ARRAY, "weir_row", sizeof(uint32_t));
	LIBBPF_OPTS(bpf_map_create_opts, inner, .inner_map_fd = static_cast<__u32>(barrier_row.get()));
	barrier = make_map(BPF_MAP_TYPE_ARRAY_OF_MAPS, "weir_barrier", sizeof(uint32_t), &inner);
	was_adopted = exists(pins.final()) && adopt();
	if (!was_adopted)
		start_fresh();
}

uint32_t Datapath::id_high_water() const
{
	auto row = Table<uint32_t, Agent>("agent", agent_map.get()).get(0);

	return row ? row->id_high_water : 0;
}

void Datapath::set_id_high_water(uint32_t id)
{
	Table<uint32_t, Agent>("agent", agent_map.get())
		.put(0, { .abi_version = WEIR_ABI_VERSION, .id_high_water = id });
}

std::vector<struct address> Datapath::workload_addresses() const
{
	std::vector<struct address> addresses;

	for (const auto &[address, row] : workloads->rows())
		addresses.push_back(address);
	return addresses;
}

void Datapath::synchronize()
{
	uint32_t zero = 0;
	int row = barrier_row.get();

	if (bpf_map_update_elem(barrier.get(), &zero, &row, BPF_ANY))
		throw Failure("wait for the BPF programs that run", errno);
}

void Datapath::start_events(Events::Deliver deliver)
{
	if (events)
		throw Failure("deliver records twice", 0);
	events = std::make_unique<Events>(map("records"), std::move(deliver));
}

std::vector<uint64_t> Datapath::counters() const
{
	int cpus = libbpf_num_possible_cpus();
	std::vector<uint64_t> totals(COUNTER_MAX);
	std::vector<uint64_t> each(cpus > 0 ? cpus : 1);

	for (uint32_t counter = 0; counter < COUNTER_MAX; counter++) {
		if (bpf_map_lookup_elem(map("counters"), &counter, each.data()))
			throw Failure("read the counters", errno);
		for (uint64_t count : each)
			totals[counter] += count;
	}
	return totals;
}

std::vector<TableUse> Datapath::tables() const
{
	std::vector<TableUse> uses;

	for (const std::string &name : programs->map_names()) {
		bpf_map_info info = {};
		__u32 length = sizeof(info);
		size_t rows = 0;

		if (bpf_obj_get_info_by_fd(map(name), &info, &length))
			throw Failure("ask about the table " + name, errno);
		if (info.type != BPF_MAP_TYPE_HASH && info.type != BPF_MAP_TYPE_LRU_HASH)
			continue;
		for_each_batch(name, map(name), info.key_size, info.value_size,
			       [&](const char *, const char *, size_t count) { rows += count; });
		uses.push_back({ .name = name, .rows = rows, .capacity = info.max_entries });
	}
	return uses;
}

std::vector<std::string> Datapath::repair()
{
	std::vector<std::string> found;

	repair_map_pins(&found);
	repair_root(&found);
	for (const std::string &sentence : captured_pods->repair())
		found.push_back(sentence);
	all_services->sweep();
	return found;
}

/* Answers false, and says why, when what is pinned cannot be taken over. */
bool Datapath::adopt()
{
	programs = std::make_unique<Programs>();
	reason = take_over_maps();
	if (!reason.empty())
		return false;
	programs->load();
	attachments.adopt();
	swap_programs();
	write_settings();
	return true;
}

std::string Datapath::take_over_maps()
{
	agent_map = Fd(bpf_obj_get((pins.final() + agent_pin).c_str()));
	if (!agent_map)
		return "Kernel state of an earlier agent was incomplete and has been replaced.";
	auto agent = Table<uint32_t, Agent>("agent", agent_map.get()).get(0);
	if (!agent || agent->abi_version != WEIR_ABI_VERSION)
		return "Kernel state of an earlier agent had layout " + std::to_string(agent ? agent->abi_version : 0) +
		       " and not " + std::to_string(WEIR_ABI_VERSION) + ", and has been replaced.";
	for (const std::string &name : programs->map_names()) {
		Fd pinned(bpf_obj_get((pins.final() + "/maps/" + name).c_str()));
		if (!pinned)
			return "Kernel state of an earlier agent had no table " + name + " and has been replaced.";
		std::string differs = programs->reuse(name, pinned.get());
		if (!differs.empty())
			return "Kernel state of an earlier agent has been replaced: the table " + differs + ".";
	}
	return "";
}

/* The critical section of an upgrade: every live link gets its new program, or all keep the old ones. */
void Datapath::swap_programs()
{
	Swap swap(attachments);

	for (const RootHook &hook : root_hooks)
		swap.to(hook.link, programs->program(hook.program));
	for (const std::string &link : attachments.names("origin-"))
		swap.to(link, programs->program("weir_origin"));
	open_tables(swap);
	attach_root();
	swap.commit();
}

void Datapath::start_fresh()
{
	programs = std::make_unique<Programs>();
	programs->load();
	pins.stage();
	try {
		agent_map = make_map(BPF_MAP_TYPE_ARRAY, "weir_agent", sizeof(Agent));
		set_id_high_water(0);
		programs->pin_maps(pins.staging() + "/maps");
		if (bpf_obj_pin(agent_map.get(), (pins.staging() + agent_pin).c_str()))
			throw Failure("pin the table agent", errno);
		write_settings();
		Swap nothing(attachments);
		open_tables(nothing);
		attachments.moved(pins.staging() + "/links");
		attach_root();
		remove_pins(pins.final());
		pins.commit();
	} catch (const Failure &) {
		remove_pins(pins.staging());
		throw;
	}
	attachments.moved(pins.final() + "/links");
}

void Datapath::open_tables(Swap &swap)
{
	workloads = std::make_unique<Table<struct address, workload>>("workloads", map("workloads"));
	all_services = std::make_unique<Services>(map("services"), map("endpoints"));
	captured_pods = std::make_unique<Pods>(*programs, attachments, swap);
}

void Datapath::attach_root(const std::string &only)
{
	for (const RootHook &hook : root_hooks)
		if (only.empty() || only == hook.link)
			attachments.put(hook.link, programs->program(hook.program), cgroup.get(), hook.type);
}

void Datapath::repair_root(std::vector<std::string> *found)
{
	for (const RootHook &hook : root_hooks) {
		if (attachments.in_place(hook.link, program_id(programs->program(hook.program))))
			continue;
		attach_root(hook.link);
		found->push_back("The program " + std::string(hook.program) + " was not attached to the cgroup root.");
	}
	auto row = Table<uint32_t, settings>("settings", map("settings")).get(0);
	if (row && same(*row, options.settings))
		return;
	write_settings();
	found->push_back("The settings of the BPF programs were changed.");
}

void Datapath::repair_map_pins(std::vector<std::string> *found)
{
	pins.restore();
	for (const std::string &name : programs->map_names()) {
		std::string path = pins.final() + "/maps/" + name;
		if (exists(path))
			continue;
		if (bpf_obj_pin(map(name), path.c_str()))
			throw Failure("pin the table " + path, errno);
		found->push_back("The table " + name + " was not pinned.");
	}
	std::string path = pins.final() + agent_pin;
	if (!exists(path) && bpf_obj_pin(agent_map.get(), path.c_str()))
		throw Failure("pin the table " + path, errno);
}

void Datapath::write_settings()
{
	Table<uint32_t, settings>("settings", map("settings")).put(0, options.settings);
}

}
