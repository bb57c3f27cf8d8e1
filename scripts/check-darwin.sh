#!/usr/bin/env bash
# Compiles and links the addon for macOS 11, arm64 and x86-64, with clang and lld and without Apple's
# SDK. A check, and no more: the declarations are stand-ins (darwin/shim.h over musl's C headers and
# Debian's of C++), and nothing here can run the result, which is removed. It finds code that does not
# compile where __APPLE__ is set, and calls of functions that macOS does not have (darwin/libSystem.tbd
# lists those that we use). The binaries that are published come from the workflow's own Macs.
. "$(dirname "$0")/common.sh"

need_apt clang-19 g++ lld-19 llvm-19 musl-dev
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
read -ra includes <<< "$(include_flags)"
version="$(g++ -dumpversion)"
cxx=(-isystem "/usr/include/c++/$version" -isystem "/usr/include/x86_64-linux-gnu/c++/$version")

for arch in arm64 x86_64; do
  objects=()
  for source in native/*.cc native/posix/*.cc; do
    object="$work/$arch-$(basename "$source" .cc).o"
    clang++-19 -target "$arch-apple-macos11" -c "${CXX_FLAGS[@]}" -D_GNU_SOURCE \
      -nostdinc -isystem scripts/darwin/include "${cxx[@]}" \
      -isystem /usr/include/x86_64-linux-musl -isystem "$(clang-19 -print-resource-dir)/include" \
      -include scripts/darwin/shim.h "${includes[@]}" "$@" "$source" -o "$object"
    objects+=("$object")
  done
  binary="$work/$arch.node"
  ld64.lld-19 -arch "$arch" -platform_version macos 11.0 11.0 -bundle -dead_strip \
    -undefined dynamic_lookup "${objects[@]}" scripts/darwin/libSystem.tbd -o "$binary"

  # Node-API comes from the program that loads it; everything else must come from libSystem.
  llvm-nm-19 -m -u "$binary" > "$work/undefined"
  if grep 'dynamically looked up' "$work/undefined" | grep -vE ' _(napi|node_api)_'; then
    echo "darwin-$arch: not among the functions in scripts/darwin/libSystem.tbd" >&2
    exit 1
  fi
  echo "darwin-$arch links: $(stat -c %s "$binary") bytes, $(grep -c libSystem "$work/undefined") functions of the system"
done
