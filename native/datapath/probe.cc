// SPDX-License-Identifier: Apache-2.0
#include "probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include "attachments.h"
#include "cgroup.h"
#include "error.h"
#include "netns.h"
#include "pins.h"
#include "programs.h"
#include "sockdiag.h"

namespace weir
{

namespace
{

constexpr rlim_t enough_descriptors = 20000;
constexpr int proceed = 1; /* for cgroup programs and for sk_lookup */
constexpr int next = -1;   /* for tc programs */

/* A program that does nothing but answer `verdict`. */
Fd load_nothing(bpf_prog_type type, bpf_attach_type attach_type, int verdict)
{
	const bpf_insn instructions[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = verdict },
		{ .code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0 },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach_type);
	Fd program(bpf_prog_load(type, "weir_probe", "GPL", instructions, sizeof(instructions) / sizeof(*instructions),
				 &options));

	if (!program)
		throw Failure("load a BPF program that does nothing", errno);
	return program;
}

/* Attaches a program that does nothing, and detaches it at once. */
void attach_nothing(bpf_prog_type type, bpf_attach_type attach_type, int target, int verdict)
{
	bpf_attach_type expected = type == BPF_PROG_TYPE_SCHED_CLS ? static_cast<bpf_attach_type>(0) : attach_type;
	Fd program = load_nothing(type, expected, verdict);
	Fd link(bpf_link_create(program.get(), target, attach_type, nullptr));

	if (!link)
		throw Failure("attach a BPF program", errno);
}

void need(int found, const char *what)
{
	if (found < 0)
		throw Failure(std::string("try ") + what, -found);
	if (!found)
		throw Failure(std::string("use ") + what, EOPNOTSUPP);
}

std::string cgroup_root()
{
	constexpr ino_t root_inode = 1;
	std::string root = find_cgroup_root();
	struct stat found;

	if (fstat(open_cgroup_root().get(), &found))
		throw Failure("look at " + root, errno);
	if (found.st_ino != root_inode)
		return root +
		       " is the root of a container and not of the machine: only processes below it can be captured.";
	return "Mounted at " + root + ".";
}

std::string bpf_file_system()
{
	bool mounted_now = mount_bpffs(default_bpffs);

	return (mounted_now ? "Has been mounted at " : "Mounted at ") + std::string(default_bpffs) + ".";
}

std::string kernel_types()
{
	if (!exists("/sys/kernel/btf/vmlinux"))
		throw Failure("find /sys/kernel/btf/vmlinux", ENOENT);
	return "Found at /sys/kernel/btf/vmlinux.";
}

std::string connect_hooks()
{
	Fd cgroup = open_cgroup_root();

	attach_nothing(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, cgroup.get(), proceed);
	attach_nothing(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_CONNECT, cgroup.get(), proceed);
	return "Programs attach to the cgroup root for both families.";
}

std::string peername_hooks()
{
	Fd cgroup = open_cgroup_root();

	attach_nothing(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_GETPEERNAME, cgroup.get(), proceed);
	attach_nothing(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_GETPEERNAME, cgroup.get(), proceed);
	return "Programs attach to the cgroup root for both families.";
}

std::string socket_operations()
{
	Fd cgroup = open_cgroup_root();

	attach_nothing(BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS, cgroup.get(), proceed);
	return "Programs attach to the cgroup root.";
}

std::string socket_lookup()
{
	Fd netns = open_namespace("/proc/thread-self/ns/net");

	attach_nothing(BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, netns.get(), proceed);
	return "Programs attach to network namespaces.";
}

std::string tcx()
{
	attach_nothing(BPF_PROG_TYPE_SCHED_CLS, attach_type_tcx_ingress, static_cast<int>(if_nametoindex("lo")), next);
	return "Programs attach to network interfaces.";
}

std::string socket_storage()
{
	need(libbpf_probe_bpf_map_type(BPF_MAP_TYPE_SK_STORAGE, nullptr), "socket storage");
	return "Sockets can carry what Weir knows of them.";
}

std::string ring_buffer()
{
	need(libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, nullptr), "BPF ring buffers");
	return "Records can be sent to the agent.";
}

std::string namespace_cookies()
{
	cookie_of_namespace(open_namespace("/proc/thread-self/ns/net").get());
	need(libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_get_netns_cookie, nullptr),
	     "network namespace cookies in connect hooks");
	need(libbpf_probe_bpf_helper(BPF_PROG_TYPE_SOCK_OPS, BPF_FUNC_get_netns_cookie, nullptr),
	     "network namespace cookies in sockops");
	return "Sockets and BPF programs agree on them.";
}

std::string multipath_tcp()
{
	need(libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_skc_to_mptcp_sock, nullptr),
	     "the BPF view of MPTCP sockets");
	return "MPTCP clients see whom they dialled.";
}

/* Destroys a listener made for the purpose. */
std::string socket_destruction()
{
	Fd netns = open_namespace("/proc/thread-self/ns/net");
	Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	sockaddr_in local = {};
	socklen_t length = sizeof(local);

	local.sin_family = AF_INET;
	local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!listener || bind(listener.get(), reinterpret_cast<sockaddr *>(&local), length) ||
	    listen(listener.get(), 1) || getsockname(listener.get(), reinterpret_cast<sockaddr *>(&local), &length))
		throw Failure("listen on a loopback port", errno);
	std::vector<TcpSocket> ours;
	for (const TcpSocket &each : listeners_in(netns.get()))
		if (each.local_port == ntohs(local.sin_port))
			ours.push_back(each);
	if (!destroy_sockets(netns.get(), ours))
		throw Failure("find a socket of our own over sock_diag", ENOENT);
	return "Connections that a new policy forbids can be ended.";
}

std::string whole_programs()
{
	constexpr uint64_t no_cookie = 0;
	Programs programs;

	programs.load();
	programs.load_lookup(no_cookie, 0);
	return "Every program of Weir passes the verifier.";
}

std::string descriptors()
{
	rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		throw Failure("ask for the limit of file descriptors", errno);
	if (limit.rlim_max < enough_descriptors)
		throw Failure("open more than " + std::to_string(limit.rlim_max) + " file descriptors", 0);
	return "Up to " + std::to_string(limit.rlim_max) + " file descriptors may be open.";
}

std::string names_at(int cgroup, bpf_attach_type type)
{
	constexpr __u32 most = 64;
	__u32 ids[most];
	__u32 count = most;
	std::string names;

	if (bpf_prog_query(cgroup, type, 0, nullptr, ids, &count))
		throw Failure("list the programs at the cgroup root", errno);
	for (__u32 i = 0; i < count; i++) {
		bpf_prog_info info = {};
		__u32 length = sizeof(info);
		Fd program(bpf_prog_get_fd_by_id(ids[i]));
		if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &length))
			continue; /* detached meanwhile */
		names += (names.empty() ? "" : ", then ") + std::string(info.name);
	}
	return names.empty() ? "none" : names;
}

/* The first to rewrite an address wins: the others see what it made of it. */
std::string program_order()
{
	Fd cgroup = open_cgroup_root();

	return "connect4: " + names_at(cgroup.get(), BPF_CGROUP_INET4_CONNECT) +
	       "; connect6: " + names_at(cgroup.get(), BPF_CGROUP_INET6_CONNECT) +
	       ". One that runs before Weir's and rewrites Service addresses hides them from Weir.";
}

struct Feature {
	const char *name;
	std::string (*find)();
	const char *without; /* what it means that this is missing, and what to do */
};

constexpr Feature features[] = {
	{ "cgroup2 root", cgroup_root,
	  "Without it no pod can be captured. Mount cgroup2, and give the agent the host's cgroup file system." },
	{ "BPF file system", bpf_file_system,
	  "Without it nothing outlives the agent. Mount it on the host at /sys/fs/bpf and give it to the agent." },
	{ "kernel types (BTF)", kernel_types,
	  "Without them the BPF programs do not load. Use a kernel with CONFIG_DEBUG_INFO_BTF." },
	{ "connect hooks", connect_hooks,
	  "Without them no pod can be captured. Use Linux 5.8 or later with CONFIG_CGROUP_BPF, and run as root." },
	{ "getpeername hooks", peername_hooks,
	  "Without them apps see the wrong peer. Use Linux 5.8 or later with CONFIG_CGROUP_BPF, and run as root." },
	{ "socket operations (sockops)", socket_operations,
	  "Without them no connection can be admitted or recorded. Use a kernel with CONFIG_CGROUP_BPF." },
	{ "socket lookup (sk_lookup)", socket_lookup,
	  "Without it inbound connections cannot be decided. Use Linux 5.9 or later with CONFIG_BPF_SYSCALL." },
	{ "socket storage", socket_storage,
	  "Without it connections lose where they were going. Use Linux 5.8 or later." },
	{ "ring buffer", ring_buffer,
	  "Without it there are no records of direct connections. Use Linux 5.8 or later." },
	{ "network namespace cookies", namespace_cookies,
	  "Without them pods cannot be told apart. Use Linux 5.15 or later." },
	{ "interface programs (tcx)", tcx,
	  "Without them a pod with CAP_NET_RAW can forge its source address. Use Linux 6.6 or later." },
	{ "socket destruction (SOCK_DESTROY)", socket_destruction,
	  "Without it a policy change does not end direct connections. Use a kernel with CONFIG_INET_DIAG_DESTROY." },
	{ "MPTCP sockets", multipath_tcp,
	  "Without it the BPF programs do not load. Use Linux 5.19 or later with CONFIG_MPTCP and BTF." },
	{ "programs load", whole_programs, "Weir cannot start on this kernel." },
	{ "file descriptors", descriptors,
	  "A proxied connection takes two. Raise the limit (LimitNOFILE, ulimit -n) to 20000 or more." },
	{ "programs at the cgroup root", program_order, "Other agents' programs cannot be seen. Run as root." },
};

}

std::vector<Probe> probe_kernel()
{
	std::vector<Probe> probes;

	for (const Feature &feature : features) {
		Complaints unheard; /* probing makes libbpf complain about what the answer says better */
		try {
			probes.push_back({ .feature = feature.name, .available = true, .detail = feature.find() });
		} catch (const Failure &failure) {
			std::string detail = failure.what() + std::string(" ") + feature.without;
			probes.push_back({ .feature = feature.name, .available = false, .detail = detail });
		}
	}
	return probes;
}

}
