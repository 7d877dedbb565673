// SPDX-License-Identifier: Apache-2.0
// What the parts of the load tool share: options, clock, histogram, the machine's CPU time.
#ifndef WEIR_LOAD_H
#define WEIR_LOAD_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUFFER_BYTES (256 * 1024)

struct options {
	struct sockaddr_in target;
	double seconds;
	double warmup;
	int connections; // streams, round-trip pairs, workers or held connections
	size_t size;     // bytes of one write of a stream
};

extern struct options options;

// Seconds of CLOCK_MONOTONIC.
double now(void);
uint64_t now_ns(void);
void sleep_ns(uint64_t ns);
_Noreturn void fail(const char *what, ...) __attribute__((format(printf, 1, 2)));

// A blocking TCP socket with TCP_NODELAY and a 10 s limit on every wait, connected to the target; -1 with errno.
int dial(void);

// Counts of nanosecond values, exact to 0.4 %. Not shared between threads: add them up afterwards.
#define HISTOGRAM_STEPS 256
#define HISTOGRAM_ROWS 32
struct histogram {
	uint64_t count;
	uint64_t max;
	uint64_t buckets[HISTOGRAM_ROWS * HISTOGRAM_STEPS];
};
void histogram_record(struct histogram *h, uint64_t ns);
void histogram_add(struct histogram *to, const struct histogram *from);
uint64_t histogram_at(const struct histogram *h, double quantile);

// CPU time of the whole machine, in seconds over all CPUs, since it started.
struct cpu {
	double at;   // now()
	double idle; // with time waited for disks
	double softirq;
	double steal; // taken by the hypervisor: neither busy nor idle
};
struct cpu cpu_read(void);
// Prints "busySeconds":..,"softirqSeconds":..,"stealSeconds":.. of the time between two readings.
void cpu_print(struct cpu from, struct cpu to);

// Modes that need the phases "warm up, measure, stop": workers watch these.
extern atomic_bool measuring;
extern atomic_bool stopping;
// Starts options.connections threads, runs the phases, joins; `readings` get the CPU times around the measured phase.
void run_phases(void *(*worker)(void *), void *state, size_t state_size, void (*at_measuring)(void),
		struct cpu readings[2]);

int run_serve(int argc, char **argv);
int run_stream(void);
int run_roundtrip(void);
int run_connect(void);
int run_hold(void);
int run_change(int argc, char **argv);

#endif
