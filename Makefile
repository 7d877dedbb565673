# Everything native: BPF objects, the two addons. TypeScript runs as it is. Outputs in build/; `make V=1` shows commands.
BUILD := build
CLANG ?= clang
CXX ?= g++
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
CARGO ?= cargo
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
MODULES := node_modules
MACHINE := $(shell uname -m)
BPF_ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(MACHINE)))

BPF_FLAGS := -O2 -g -target bpf -mcpu=v3 -Wall -Werror -D__TARGET_ARCH_$(BPF_ARCH) -idirafter /usr/include/$(MACHINE)-linux-gnu
CXX_FLAGS := -std=c++20 -O2 -g -fPIC -fvisibility=hidden -Wall -Wextra -Werror -DNAPI_VERSION=9 -DNAPI_CPP_EXCEPTIONS \
	-isystem $(MODULES)/node-api-headers/include -isystem $(MODULES)/node-addon-api -isystem $(BUILD)/bpf -I bpf
LIBRARIES := -lbpf -lelf -lz -lpthread

# weir.bpf.o is all hooks that are loaded once; the lookup program is loaded once for each pod.
NODE_HOOKS := connect peername sockops origin
BPF_HEADERS := $(wildcard bpf/*.h)
BPF_SOURCES := $(wildcard bpf/*.bpf.c)
DATAPATH_SOURCES := $(wildcard native/datapath/*.cc)
DATAPATH_HEADERS := $(wildcard native/datapath/*.h)
DATAPATH_OBJECTS := $(DATAPATH_SOURCES:native/datapath/%.cc=$(BUILD)/datapath/%.o)
SKELETONS := $(BUILD)/bpf/weir.skel.h $(BUILD)/bpf/lookup.skel.h
PROXY_SOURCES := $(shell find native/proxy -name target -prune -o -type f -print) $(wildcard proto/weir/*.proto)

ifeq ($(V),1)
say =
else
say = @printf '  %-8s %s\n' $(1) $(2);
MAKEFLAGS += --no-print-directory
endif

.PHONY: all bpf datapath proxy clean format format-check lint
.DELETE_ON_ERROR:
.SECONDARY:

all: bpf datapath proxy
bpf: $(BUILD)/bpf/weir.bpf.o $(BUILD)/bpf/lookup.bpf.o
datapath: $(BUILD)/datapath.node
proxy: $(BUILD)/proxy.node

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(BPF_HEADERS) Makefile
	$(call say,BPF,$@)mkdir -p $(@D) && $(CLANG) $(BPF_FLAGS) -c $< -o $@

$(BUILD)/bpf/weir.bpf.o: $(NODE_HOOKS:%=$(BUILD)/bpf/%.bpf.o)
	$(call say,GEN-OBJ,$@)$(BPFTOOL) gen object $@ $^

$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(call say,GEN-SKEL,$@)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(BUILD)/datapath/programs.o: $(SKELETONS)
$(BUILD)/datapath/%.o: native/datapath/%.cc Makefile
	$(call say,CXX,$@)mkdir -p $(@D) && $(CXX) $(CXX_FLAGS) -MMD -MP -c $< -o $@

$(BUILD)/datapath.node: $(DATAPATH_OBJECTS)
	$(call say,LINK,$@)$(CXX) -shared -o $@ $^ $(LIBRARIES)

$(BUILD)/proxy.node: $(PROXY_SOURCES) Makefile
	$(call say,CARGO,$@)mkdir -p $(@D) && cd native/proxy && $(CARGO) build --release --quiet -p weir-proxy-node \
		&& cd ../.. && cp native/proxy/target/release/libweir_proxy_node.so $@.new && mv $@.new $@

format:
	$(call say,FORMAT,'bpf native/datapath')$(CLANG_FORMAT) -i $(BPF_SOURCES) $(BPF_HEADERS) $(DATAPATH_SOURCES) $(DATAPATH_HEADERS)

format-check:
	$(call say,FORMAT,'bpf native/datapath')$(CLANG_FORMAT) --dry-run --Werror $(BPF_SOURCES) $(BPF_HEADERS) $(DATAPATH_SOURCES) $(DATAPATH_HEADERS)

lint: $(DATAPATH_SOURCES:native/datapath/%.cc=$(BUILD)/tidy/%.ok)

# Slow, so only what changed is looked at again.
$(BUILD)/tidy/programs.ok: $(SKELETONS)
$(BUILD)/tidy/%.ok: native/datapath/%.cc $(DATAPATH_HEADERS) .clang-tidy
	$(call say,TIDY,$<)mkdir -p $(@D) && $(CLANG_TIDY) --quiet $< -- $(CXX_FLAGS) 2> $@.log || { cat $@.log >&2; exit 1; } && touch $@

clean:
	$(call say,CLEAN,$(BUILD))rm -rf $(BUILD)

-include $(DATAPATH_OBJECTS:.o=.d)
include test/tools/rules.mk
include bench/load/rules.mk
