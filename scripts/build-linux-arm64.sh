#!/usr/bin/env bash
# Builds prebuilds/linux-arm64/holdfast.glibc.node with Debian's cross compiler.
. "$(dirname "$0")/common.sh"

need_apt binutils g++-aarch64-linux-gnu make python3

# The strip of prebuildify is PREBUILD_STRIP_BIN; it does not look at STRIP.
export CC=aarch64-linux-gnu-gcc CXX=aarch64-linux-gnu-g++ AR=aarch64-linux-gnu-ar
export LINK=aarch64-linux-gnu-g++ PREBUILD_STRIP_BIN=aarch64-linux-gnu-strip
prebuild --arch arm64
ls -l prebuilds/linux-arm64/holdfast.glibc.node
