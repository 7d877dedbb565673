# The test tools: plain C programs the suites run inside network namespaces. Included by the top Makefile.
TOOLS := build/tools/serve build/tools/dial build/tools/spoof
TOOL_SOURCES := $(wildcard test/tools/*.c test/tools/*.h)

.PHONY: tools format-tools format-check-tools

tools: $(TOOLS)

build/tools/serve: test/tools/serve.c test/tools/net.c
build/tools/dial: test/tools/dial.c test/tools/connect.c test/tools/stream.c test/tools/uring.c test/tools/net.c test/tools/dial.h
build/tools/spoof: test/tools/spoof.c test/tools/net.c

$(TOOLS): test/tools/net.h test/tools/rules.mk
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) -O2 -g -std=gnu11 -Wall -Wextra -Werror -o $@ $(filter %.c,$^)

format: format-tools
format-tools:
	@clang-format -i $(TOOL_SOURCES)

format-check: format-check-tools
format-check-tools:
	@clang-format --dry-run --Werror $(TOOL_SOURCES)
