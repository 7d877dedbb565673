#!/bin/sh
# Brings a Debian machine from a fresh clone to a built Weir: system packages, node_modules, build/.
# Safe to repeat; when nothing is missing it only asks make. Runs before node_modules exists, hence plain sh.
set -eu
cd "$(dirname "$0")/.."

# What the build and the tests call: BPF compiler and skeletons, libbpf, protobuf compiler, namespaces.
PACKAGES="clang llvm clang-format libbpf-dev bpftool libelf-dev zlib1g-dev protobuf-compiler g++ make iproute2"

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "Weir loads eBPF programs and makes network namespaces: run this as root."
command -v node >/dev/null && command -v npm >/dev/null || fail "Node.js 20 or newer with npm is needed to start; install it and run this again."
[ "$(node -p 'parseInt(process.versions.node)')" -ge 20 ] || fail "Node.js $(node -v) is too old to start with: 20 or newer is needed."
command -v cargo >/dev/null || fail "Rust is needed to build the node proxy: install it with rustup and run this again."

missing=""
if command -v dpkg-query >/dev/null; then
  for package in $PACKAGES; do
    case "$(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null || true)" in
      ii*) ;;
      *) missing="$missing $package" ;;
    esac
  done
else
  say "this is not Debian: install the equivalents of $PACKAGES yourself if the build asks for them."
fi
if [ -n "$missing" ]; then
  say "installing$missing"
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086 # a list of words
  apt-get install -y -q --no-install-recommends $missing >/dev/null 2>&1 || {
    say "refreshing the package lists first"
    apt-get update -q >/dev/null
    apt-get install -y -q --no-install-recommends $missing >/dev/null
  }
fi

# The stamp is a copy of the lock file node_modules was installed from.
if ! cmp -s package-lock.json node_modules/.weir-lock; then
  say "installing node_modules"
  npm ci --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.weir-lock
fi

make --no-print-directory -s -j"$(nproc)" all tools
