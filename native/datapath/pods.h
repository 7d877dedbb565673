// SPDX-License-Identifier: Apache-2.0
/* Captured pods: a row, listening ports, a lookup program in the namespace, guards outside it. */
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "attachments.h"
#include "guards.h"
#include "keys.h"
#include "listening.h"
#include "programs.h"
#include "table.h"

namespace weir
{

struct PodRequest {
	std::string netns; /* a path */
	struct pod row;
};

struct CapturedPod {
	uint64_t cookie;
	uint32_t ifindex;
	std::string unguarded;
};

class Pods
{
public:
	/* Pods of an earlier agent stay captured; their lookup programs are swapped to new ones. */
	Pods(const Programs &programs, Attachments &attachments, Swap &swap);

	CapturedPod capture(const PodRequest &request);
	void release(uint64_t cookie);
	std::vector<uint64_t> captured() const;
	/* Rows of all captured pods, those of an earlier agent included. */
	std::vector<struct pod> described() const;
	/* Opens the namespace of a captured pod, and makes sure that it is still the same. */
	Fd open(uint64_t cookie) const;
	/* Answers what was wrong and is right now, a sentence each. */
	std::vector<std::string> repair();

private:
	struct Captured {
		struct pod row;
		std::string netns;       /* empty: captured by an earlier agent, path not known yet */
		uint32_t lookup_program; /* id of the program that ought to run; 0 when none was loaded */
	};

	/* As open; no descriptor when the namespace cannot be found. */
	Fd reach(uint64_t cookie) const;
	bool lookup_in_place(uint64_t cookie) const;
	void attach_lookup(uint64_t cookie, int netns, const Fd &program);
	void check_slot(uint64_t cookie, uint32_t slot) const;
	void undo(uint64_t cookie, const std::optional<Captured> &before);
	Guards::Guarded put_in_force(uint64_t cookie, int netns);
	void forget_connections(uint64_t cookie, uint32_t slot);
	void forget_strays();
	void give_back(uint32_t slot);
	void repair_pod(uint64_t cookie, const Listening::Ports &ports, const std::vector<Interface> &interfaces,
			std::vector<std::string> *found);

	const Programs &programs;
	Attachments &attachments;
	Table<uint64_t, struct pod> rows;
	Table<uint32_t, uint32_t> quotas;
	Table<tuple, admission> admitted;
	Listening listening;
	Guards guards;
	std::map<uint64_t, Captured> pods;
};

}
