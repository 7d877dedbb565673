// SPDX-License-Identifier: Apache-2.0
/* A file descriptor that closes itself. */
#pragma once

#include <unistd.h>

#include <utility>

namespace weir
{

class Fd
{
public:
	Fd() = default;
	explicit Fd(int number) : number(number) {}
	Fd(Fd &&other) noexcept : number(std::exchange(other.number, -1)) {}
	Fd &operator=(Fd &&other) noexcept
	{
		std::swap(number, other.number);
		return *this;
	}
	~Fd()
	{
		if (number >= 0)
			close(number);
	}

	int get() const { return number; }
	explicit operator bool() const { return number >= 0; }

private:
	int number = -1;
};

}
