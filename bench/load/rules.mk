# The benchmark's load tool. Included by the top Makefile, and enough alone: make -f bench/load/rules.mk load
BENCH_SOURCES := $(wildcard bench/load/*.c)
BENCH_HEADERS := $(wildcard bench/load/*.h)

.PHONY: load format-load format-check-load

load: build/bench/load

build/bench/load: $(BENCH_SOURCES) $(BENCH_HEADERS) bench/load/rules.mk
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) -O2 -g -std=gnu11 -Wall -Wextra -Werror -pthread -o $@ $(BENCH_SOURCES)

format: format-load
format-load:
	@clang-format -i $(BENCH_SOURCES) $(BENCH_HEADERS)

format-check: format-check-load
format-check-load:
	@clang-format --dry-run --Werror $(BENCH_SOURCES) $(BENCH_HEADERS)
