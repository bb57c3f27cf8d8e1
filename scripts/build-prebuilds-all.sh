#!/usr/bin/env bash
# Builds every binary that can be built on Debian, checks them, and checks that macOS's would link.
# Those for macOS and for Windows on arm64 come from the workflow's own machines.
. "$(dirname "$0")/common.sh"

step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }

[ "$(uname -sm)" = 'Linux x86_64' ] || { echo 'this is written for Debian on x86-64' >&2; exit 1; }
need_apt g++ make python3

step 'linux-x64, glibc'
bash scripts/build-prebuilds.sh
step 'linux-arm64, glibc'
bash scripts/build-linux-arm64.sh
step 'linux-x64 and linux-arm64, musl'
bash scripts/build-linux-musl.sh
step 'win32-x64'
bash scripts/build-win32.sh
step 'darwin-arm64 and darwin-x64: a link check'
bash scripts/check-darwin.sh
step 'what was built'
node scripts/check-prebuilds.mjs \
  linux-x64.glibc linux-arm64.glibc linux-x64.musl linux-arm64.musl win32-x64
