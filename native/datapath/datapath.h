// SPDX-License-Identifier: Apache-2.0
/* Everything the kernel holds for this node, from open (which may adopt it) to close (which leaves it in force). */
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attachments.h"
#include "events.h"
#include "keys.h"
#include "pins.h"
#include "pods.h"
#include "programs.h"
#include "services.h"
#include "table.h"

namespace weir
{

struct Options {
	std::string node;
	std::string bpffs;
	struct settings settings;
};

struct TableUse {
	std::string name;
	size_t rows;
	uint32_t capacity;
};

class Datapath
{
public:
	/* All or nothing: when this throws, the kernel is as it was before. */
	explicit Datapath(const Options &options);

	/* Why pinned state was not taken over; nothing when there was none, or when it was. */
	const std::string &not_adopted() const { return reason; }
	bool adopted() const { return was_adopted; }
	int map(const std::string &name) const { return programs->map(name); }

	uint32_t id_high_water() const;
	void set_id_high_water(uint32_t id);

	void put_workload(const struct address &address, const workload &row) { workloads->put(address, row); }
	void remove_workload(const struct address &address) { workloads->remove(address); }
	std::vector<struct address> workload_addresses() const;

	Pods &pods() { return *captured_pods; }
	Services &services() { return *all_services; }

	/*
	 * Waits until no BPF program runs with what was true before. Writing to a map of maps is the one map update after
	 * which the kernel promises that: it waits for an RCU grace period, which every hook's run is inside of.
	 */
	void synchronize();
	void start_events(Events::Deliver deliver);
	std::vector<uint64_t> counters() const;
	std::vector<TableUse> tables() const;
	std::vector<std::string> repair();

private:
	/* `agent`: one row that only agents read, to know what they find. */
	struct Agent {
		uint32_t abi_version;
		uint32_t id_high_water;
	};

	bool adopt();
	std::string take_over_maps();
	void swap_programs();
	void start_fresh();
	void open_tables(Swap &swap);
	void attach_root(const std::string &only = "");
	void repair_root(std::vector<std::string> *found);
	void repair_map_pins(std::vector<std::string> *found);
	void write_settings();

	Options options;
	Pins pins;
	Fd cgroup;
	Fd agent_map;
	Fd barrier;
	Fd barrier_row;
	std::unique_ptr<Programs> programs;
	Attachments attachments;
	std::unique_ptr<Table<struct address, workload>> workloads;
	std::unique_ptr<Services> all_services;
	std::unique_ptr<Pods> captured_pods;
	std::unique_ptr<Events> events;
	std::string reason;
	bool was_adopted = false;
};

}
