// SPDX-License-Identifier: Apache-2.0
#include "error.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

#include <bpf/libbpf.h>

namespace weir
{

namespace
{

constexpr size_t tail_bytes = 2048;
constexpr size_t text_bytes = 64 * 1024;

thread_local std::string *collecting;

std::string sentence(const std::string &step, int error, const std::string &advice)
{
	std::string text = "Cannot " + step;

	if (error)
		text += std::string(": ") + strerror(error) + " (" + error_name(error) + ")";
	text += advice.empty() || error ? "." : ":";
	if (!advice.empty())
		text += " " + advice;
	return text;
}

int collect(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char *line = nullptr;

	if (!collecting || level == LIBBPF_DEBUG)
		return 0;
	int length = vasprintf(&line, format, arguments);
	if (length < 0)
		return 0;
	collecting->append(line, length);
	free(line);
	if (collecting->size() > text_bytes)
		collecting->erase(0, collecting->size() - text_bytes);
	return length;
}

}

Failure::Failure(const std::string &step, int error, const std::string &advice)
	: std::runtime_error(sentence(step, error, advice)), step(step), error(error)
{
}

std::string error_name(int error)
{
	const char *name = error ? strerrorname_np(error) : nullptr;

	return name ? name : "";
}

Complaints::Complaints() : outer(collecting)
{
	libbpf_set_print(collect);
	collecting = &text;
}

Complaints::~Complaints()
{
	collecting = outer;
}

std::string Complaints::tail() const
{
	if (text.size() <= tail_bytes)
		return text;
	size_t start = text.find('\n', text.size() - tail_bytes);
	return text.substr(start == std::string::npos ? text.size() - tail_bytes : start + 1);
}

}
