// SPDX-License-Identifier: Apache-2.0
// Latency histograms, and the CPU time of the whole machine.
#include "load.h"

#include <stdio.h>
#include <unistd.h>

// Row 0 holds 0..255 one by one; row r holds the values of 8 + r bits in 256 steps, the lower half of which stays empty.
static size_t bucket_of(uint64_t ns)
{
	if (ns < HISTOGRAM_STEPS)
		return ns;
	unsigned shift = 56u - (unsigned)__builtin_clzll(ns);
	if (shift > HISTOGRAM_ROWS - 1)
		return HISTOGRAM_ROWS * HISTOGRAM_STEPS - 1;
	return shift * HISTOGRAM_STEPS + (ns >> shift);
}

static uint64_t middle_of(size_t bucket)
{
	unsigned shift = (unsigned)(bucket / HISTOGRAM_STEPS);
	return ((uint64_t)(bucket % HISTOGRAM_STEPS) << shift) + ((1ull << shift) >> 1);
}

void histogram_record(struct histogram *h, uint64_t ns)
{
	h->count++;
	h->buckets[bucket_of(ns)]++;
	if (ns > h->max)
		h->max = ns;
}

void histogram_add(struct histogram *to, const struct histogram *from)
{
	to->count += from->count;
	for (size_t i = 0; i < HISTOGRAM_ROWS * HISTOGRAM_STEPS; i++)
		to->buckets[i] += from->buckets[i];
	if (from->max > to->max)
		to->max = from->max;
}

uint64_t histogram_at(const struct histogram *h, double quantile)
{
	uint64_t rank = (uint64_t)(quantile * (double)h->count);
	uint64_t seen = 0;
	for (size_t i = 0; i < HISTOGRAM_ROWS * HISTOGRAM_STEPS; i++) {
		seen += h->buckets[i];
		if (seen > rank)
			return middle_of(i);
	}
	return h->max;
}

// The first line of /proc/stat: user nice system idle iowait irq softirq steal, in ticks over all CPUs. Idle time is kept
// exactly by a tickless kernel while the busy kinds are sampled, so busy is computed as what is not idle.
struct cpu cpu_read(void)
{
	unsigned long long user, nice, system, idle, iowait, irq, softirq, steal;
	double tick = (double)sysconf(_SC_CLK_TCK);
	FILE *file = fopen("/proc/stat", "r");
	if (!file || fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &iowait,
			    &irq, &softirq, &steal) != 8)
		fail("cannot read the CPU times in /proc/stat");
	fclose(file);
	return (struct cpu){
		.at = now(),
		.idle = (double)(idle + iowait) / tick,
		.softirq = (double)(irq + softirq) / tick,
		.steal = (double)steal / tick,
	};
}

void cpu_print(struct cpu from, struct cpu to)
{
	double all = (to.at - from.at) * (double)sysconf(_SC_NPROCESSORS_ONLN);
	double steal = to.steal - from.steal;
	double busy = all - (to.idle - from.idle) - steal;
	printf("\"busySeconds\":%.3f,\"softirqSeconds\":%.3f,\"stealSeconds\":%.3f", busy > 0 ? busy : 0,
	       to.softirq - from.softirq, steal);
}
