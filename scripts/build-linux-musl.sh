#!/usr/bin/env bash
# Builds prebuilds/linux-{x64,arm64}/holdfast.musl.node: Debian's compilers with the headers and the
# libc of musl, and no C++ library at all (native/nostd.cc).
. "$(dirname "$0")/musl.sh"

need_apt binutils file g++ g++-aarch64-linux-gnu make python3
need_musl_cxx
need_musl_arm64

# build ARCH PREFIX SPECS, where PREFIX comes before the name of each tool
build() {
  local options="-specs $3 ${MUSL_CXX_HEADERS[*]}"
  CC="$2gcc -specs $3" CXX="$2g++ $options" LINK="$2g++ -specs $3" AR="$2ar" PREBUILD_STRIP_BIN="$2strip" \
    prebuild --arch "$1" --libc musl
  ls -l "prebuilds/linux-$1/holdfast.musl.node"
}
build x64 '' "$MUSL_SPECS"
build arm64 aarch64-linux-gnu- "$MUSL/arm64/musl-gcc.specs"
