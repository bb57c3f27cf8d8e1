#!/usr/bin/env bash
# Builds prebuilds/win32-x64/holdfast.node on Debian with MinGW-w64: no Windows, no SDK, no node.lib.
#
# The Node-API functions are imported through a delay-load library made from the list in
# node-api-headers; native/win32/delay-load.cc looks them up in whatever program runs. Nothing of the
# C++ run-time is linked but what is small (native/nostd.cc, native/win32/nostd.cc). "posix" in the
# compiler's name is the thread model: the other one lacks std::mutex.
#
# More compiler arguments may follow.
. "$(dirname "$0")/common.sh"

need_apt g++-mingw-w64-x86-64-posix

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

node > "$work/node.def" -e '
  const { js_native_api_symbols, node_api_symbols } = require("node-api-headers").symbols.v8;
  console.log(["LIBRARY node.exe", "EXPORTS", ...js_native_api_symbols, ...node_api_symbols].join("\n"));
'
x86_64-w64-mingw32-dlltool -d "$work/node.def" -D node.exe -y "$work/libnode.a"

# Linked elsewhere and moved when it is complete: a test that runs meanwhile sees the old one whole.
# Without a time stamp the same sources make the same bytes.
read -ra includes <<< "$(include_flags)"
x86_64-w64-mingw32-g++-posix -shared "${CXX_FLAGS[@]}" -D_WIN32_WINNT=0x0A00 "${includes[@]}" "$@" \
  native/*.cc native/win32/*.cc "$work/libnode.a" -static -Wl,--gc-sections -Wl,--no-insert-timestamp -s \
  -o "$work/holdfast.node"
mkdir -p prebuilds/win32-x64
mv "$work/holdfast.node" prebuilds/win32-x64/holdfast.node
ls -l prebuilds/win32-x64/holdfast.node
