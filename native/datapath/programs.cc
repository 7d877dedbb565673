// SPDX-License-Identifier: Apache-2.0
#include "programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>

#include <cerrno>
#include <memory>

#include "error.h"

extern "C" {
#include "lookup.skel.h"
#include "weir.skel.h"
}

namespace weir
{

namespace
{

constexpr const char *load_advice = "`weir check` says what this kernel lacks.";

/* All but the constants of an object. libbpf would pin these too early, so each loses its pin path when opened. */
bool shared(const bpf_map *map)
{
	return !bpf_map__is_internal(map);
}

std::string difference(const bpf_map *ours, const bpf_map_info &theirs)
{
	auto differs = [&](const char *what, uint32_t mine, uint32_t other) {
		return std::string(bpf_map__name(ours)) + " has " + what + " " + std::to_string(other) + " and not " +
		       std::to_string(mine);
	};

	if (bpf_map__type(ours) != theirs.type)
		return differs("type", bpf_map__type(ours), theirs.type);
	if (bpf_map__key_size(ours) != theirs.key_size)
		return differs("key size", bpf_map__key_size(ours), theirs.key_size);
	if (bpf_map__value_size(ours) != theirs.value_size)
		return differs("value size", bpf_map__value_size(ours), theirs.value_size);
	if (bpf_map__max_entries(ours) != theirs.max_entries)
		return differs("room for rows", bpf_map__max_entries(ours), theirs.max_entries);
	if (bpf_map__map_flags(ours) != theirs.map_flags)
		return differs("flags", bpf_map__map_flags(ours), theirs.map_flags);
	return "";
}

}

Programs::Programs()
{
	Complaints complaints;
	bpf_map *map;

	skeleton = weir_bpf__open();
	if (!skeleton)
		throw Failure("open the BPF programs", errno, complaints.tail());
	bpf_object__for_each_map(map, skeleton->obj) bpf_map__set_pin_path(map, nullptr);
}

Programs::~Programs()
{
	weir_bpf__destroy(skeleton);
}

std::vector<std::string> Programs::map_names() const
{
	std::vector<std::string> names;
	bpf_map *map;

	bpf_object__for_each_map(map, skeleton->obj) if (shared(map)) names.emplace_back(bpf_map__name(map));
	return names;
}

std::string Programs::reuse(const std::string &name, int pinned)
{
	bpf_map *map = bpf_object__find_map_by_name(skeleton->obj, name.c_str());
	bpf_map_info info = {};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(pinned, &info, &length))
		throw Failure("ask about the table " + name, errno);
	std::string differs = difference(map, info);
	if (!differs.empty())
		return differs;
	int error = error_of(bpf_map__reuse_fd(map, pinned));
	if (error)
		throw Failure("take over the table " + name, error);
	return "";
}

void Programs::load()
{
	Complaints complaints;
	int error = error_of(weir_bpf__load(skeleton));

	if (error)
		throw Failure("load the BPF programs", error, load_advice + std::string("\n") + complaints.tail());
}

void Programs::pin_maps(const std::string &directory) const
{
	for (const std::string &name : map_names()) {
		std::string path = directory + "/" + name;
		if (bpf_obj_pin(map(name), path.c_str()))
			throw Failure("pin the table " + path, errno);
	}
}

int Programs::map(const std::string &name) const
{
	return bpf_object__find_map_fd_by_name(skeleton->obj, name.c_str());
}

int Programs::program(const std::string &name) const
{
	return bpf_program__fd(bpf_object__find_program_by_name(skeleton->obj, name.c_str()));
}

Fd Programs::load_lookup(uint64_t cookie, uint32_t slot) const
{
	Complaints complaints;
	std::unique_ptr<lookup_bpf, void (*)(lookup_bpf *)> lookup(lookup_bpf__open(), lookup_bpf__destroy);
	bpf_map *each;

	if (!lookup)
		throw Failure("open the lookup program", errno, complaints.tail());
	lookup->rodata->netns_cookie = cookie;
	lookup->rodata->slot = slot;
	bpf_object__for_each_map(each, lookup->obj)
	{
		if (!shared(each))
			continue;
		bpf_map__set_pin_path(each, nullptr);
		int error = error_of(bpf_map__reuse_fd(each, map(bpf_map__name(each))));
		if (error)
			throw Failure("share the table " + std::string(bpf_map__name(each)), error);
	}
	int error = error_of(lookup_bpf__load(lookup.get()));
	if (error)
		throw Failure("load the lookup program", error, load_advice + std::string("\n") + complaints.tail());
	Fd program(fcntl(bpf_program__fd(lookup->progs.weir_lookup), F_DUPFD_CLOEXEC, 0));
	if (!program)
		throw Failure("keep the lookup program", errno);
	return program;
}

}
