// SPDX-License-Identifier: Apache-2.0
/* The one exception of the datapath. */
#pragma once

#include <stdexcept>
#include <string>

namespace weir
{

/* What failed, with which error number, and what the user can do; its message is one or two sentences. */
struct Failure : std::runtime_error {
	/* `step` reads on from "Cannot": "attach weir_connect4 to the cgroup root". `advice` is a sentence, or empty. */
	Failure(const std::string &step, int error, const std::string &advice = "");

	std::string step;
	int error; /* errno, 0 when no system call failed */
};

/* EPERM for 1, and so on; empty for 0. */
std::string error_name(int error);

/* libbpf answers negative error numbers or sets errno. */
inline int error_of(int answer)
{
	return answer < 0 ? -answer : answer;
}

/* Collects what libbpf and the verifier say while it lives; one at a time in a thread. */
class Complaints
{
public:
	Complaints();
	~Complaints();
	Complaints(const Complaints &) = delete;
	Complaints &operator=(const Complaints &) = delete;

	/* The last lines, bounded; the end of a verifier log is the part that tells. */
	std::string tail() const;

private:
	std::string text;
	std::string *outer;
};

}
