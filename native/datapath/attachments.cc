// SPDX-License-Identifier: Apache-2.0
#include "attachments.h"

#include <bpf/bpf.h>

#include <cerrno>

#include "error.h"
#include "pins.h"

namespace weir
{

namespace
{

bpf_link_info info_of(int link)
{
	bpf_link_info info = {};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(link, &info, &length))
		throw Failure("ask about a BPF link", errno);
	return info;
}

/* A link outlives what it was attached to; the kernel then answers 0 for it. */
bool attached(const bpf_link_info &info)
{
	if (info.type == BPF_LINK_TYPE_CGROUP)
		return info.cgroup.cgroup_id != 0;
	if (info.type == BPF_LINK_TYPE_NETNS)
		return info.netns.netns_ino != 0;
	return info.xdp.ifindex != 0; /* tcx has its index at the same place */
}

}

void Attachments::adopt()
{
	for (const std::string &name : names_in(directory)) {
		Fd link(bpf_obj_get(path(name).c_str()));
		if (!link)
			throw Failure("open the pinned link " + path(name), errno);
		links.insert_or_assign(name, std::move(link));
	}
}

void Attachments::put(const std::string &name, int program, int target, bpf_attach_type type)
{
	if (update(name, program)) {
		if (!pinned(name))
			pin(name);
		return;
	}
	remove(name);
	Fd link(bpf_link_create(program, target, type, nullptr));
	if (!link)
		throw Failure("attach the program " + name, errno);
	links.insert_or_assign(name, std::move(link));
	pin(name);
}

void Attachments::pin(const std::string &name)
{
	if (bpf_obj_pin(links.at(name).get(), path(name).c_str()))
		throw Failure("pin the link " + path(name), errno);
}

bool Attachments::update(const std::string &name, int program)
{
	auto found = links.find(name);

	if (found == links.end() || !alive(name))
		return false;
	int error = error_of(bpf_link_update(found->second.get(), program, nullptr));
	if (error == ENOLINK)
		return false; /* its hook went meanwhile */
	if (error)
		throw Failure("swap the program " + name, error);
	return true;
}

void Attachments::remove(const std::string &name)
{
	auto found = links.find(name);

	if (found != links.end()) {
		bpf_link_detach(found->second.get());
		links.erase(found);
	}
	if (unlink(path(name).c_str()) && errno != ENOENT)
		throw Failure("remove " + path(name), errno);
}

bool Attachments::alive(const std::string &name) const
{
	auto found = links.find(name);

	return found != links.end() && attached(info_of(found->second.get()));
}

bool Attachments::in_place(const std::string &name, uint32_t id) const
{
	return id && alive(name) && pinned(name) && program(name) == id;
}

bool Attachments::pinned(const std::string &name) const
{
	return exists(path(name));
}

uint32_t Attachments::program(const std::string &name) const
{
	auto found = links.find(name);

	return found == links.end() ? 0 : info_of(found->second.get()).prog_id;
}

std::vector<std::string> Attachments::names(const std::string &prefix) const
{
	std::vector<std::string> found;

	for (const auto &[name, link] : links)
		if (name.starts_with(prefix))
			found.push_back(name);
	return found;
}

uint32_t program_id(int program)
{
	bpf_prog_info info = {};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &length))
		throw Failure("ask about a BPF program", errno);
	return info.id;
}

bool Swap::to(const std::string &name, int program)
{
	if (!attachments.alive(name))
		return false;
	Fd before(bpf_prog_get_fd_by_id(attachments.program(name)));
	if (!before)
		throw Failure("open the program that runs at " + name, errno);
	if (!attachments.update(name, program))
		return false;
	undo.emplace_back(name, std::move(before));
	return true;
}

Swap::~Swap()
{
	for (const auto &[name, program] : undo) {
		try {
			attachments.update(name, program.get());
		} catch (const Failure &) {
			/* Already on the way out with the first failure, which is the one to tell. */
		}
	}
}

}
