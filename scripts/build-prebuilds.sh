#!/usr/bin/env bash
# Builds the binary for this platform into prebuilds/, as the package ships it.
# build/ is removed afterwards: node-gyp-build would prefer what is left there to the prebuilt file.
set -euo pipefail
cd "$(dirname "$0")/.."

# Node's headers without a download, where the running Node carries them.
prefix="$(node -p 'require("path").resolve(process.execPath, "../..")')"
if [ -e "$prefix/include/node/node_api.h" ]; then
  export npm_package_config_node_gyp_nodedir="$prefix"
fi

log="$(mktemp)"
trap 'rm -f "$log"' EXIT
if ! npx --no -- prebuildify --napi --strip --tag-libc > "$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
if grep -E 'warning:' "$log" >&2; then
  echo 'the compiler warned; the addon must be clean under -Wall -Wextra' >&2
  exit 1
fi
rm -rf build
ls -l prebuilds/*/*.node
