#!/usr/bin/env bash
# Builds prebuilds/win32-x64/holdfast.node on Debian with MinGW-w64: no Windows, no SDK, no node.lib.
#
# The Node-API functions are imported through a delay-load library made from the list in
# node-api-headers; native/win32/delay-load.cc looks them up in whatever program runs. The C++
# run-time is linked in. "posix" in the compiler's name is the thread model: the other one lacks
# std::mutex.
#
# More compiler arguments may follow, such as -Werror.
set -euo pipefail
cd "$(dirname "$0")/.."

compiler=g++-mingw-w64-x86-64-posix
if ! dpkg-query -W -f='${db:Status-Status}' "$compiler" 2> /dev/null | grep -qx installed; then
  sudo=''
  [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq >&2
  $sudo env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends "$compiler" >&2
fi

node_api="$(node -p 'require("node-api-headers").include_dir')"
node_addon_api="$(node -p 'require("node-addon-api").include_dir')"

sources=()
for file in native/*.cc native/win32/*.cc; do
  # Stands in for the C++ run-time on Linux, where it is not linked.
  [ "$file" = native/nostd.cc ] || sources+=("$file")
done

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

node > "$work/node.def" -e '
  const { js_native_api_symbols, node_api_symbols } = require("node-api-headers").symbols.v8;
  console.log(["LIBRARY node.exe", "EXPORTS", ...js_native_api_symbols, ...node_api_symbols].join("\n"));
'
x86_64-w64-mingw32-dlltool -d "$work/node.def" -D node.exe -y "$work/libnode.a"

# Linked elsewhere and moved when it is complete: a test that runs meanwhile sees the old one whole.
x86_64-w64-mingw32-g++-posix -shared -std=c++20 -O2 -Wall -Wextra \
  -fno-exceptions -fno-rtti -fvisibility=hidden -fvisibility-inlines-hidden \
  -ffunction-sections -fdata-sections \
  -D_WIN32_WINNT=0x0A00 -DNODE_GYP_MODULE_NAME=holdfast -DNAPI_VERSION=8 \
  -DNODE_ADDON_API_DISABLE_CPP_EXCEPTIONS -DNODE_ADDON_API_DISABLE_DEPRECATED \
  -isystem "$node_api" -isystem "$node_addon_api" "$@" \
  "${sources[@]}" "$work/libnode.a" -static -Wl,--gc-sections -s -o "$work/holdfast.node"

# Whoever needs more than these ships with Windows has linked something by mistake.
needs="$(x86_64-w64-mingw32-objdump -p "$work/holdfast.node" | sed -n 's/.*DLL Name: //p')"
if grep -Evix 'kernel32\.dll|msvcrt\.dll|ucrtbase\.dll|api-ms-win-[a-z0-9-]*\.dll|node\.exe' <<< "$needs"; then
  echo 'the addon needs the DLLs above, which a user may not have' >&2
  exit 1
fi
mkdir -p prebuilds/win32-x64
mv "$work/holdfast.node" prebuilds/win32-x64/holdfast.node
ls -l prebuilds/win32-x64/holdfast.node
