# Sourced by the scripts beside it, after which the current folder is the package's root.
#
# What they need is installed here, by name: Debian's packages with need_apt, other runtimes and
# headers from npm with need_npm. The latter lie in CACHE, not in node_modules itself, which an
# `npm install` would clear of them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CACHE="${CACHE:-$PWD/node_modules/.cache/holdfast}"
mkdir -p "$CACHE"

# need_apt PACKAGE...: installs those that are missing.
need_apt() {
  local package missing=() sudo=()
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}' "$package" 2> /dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  # Another installation may be under way on the machine; it is waited for.
  local apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
  "${apt[@]}" update >&2
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2
}

# once NAME COMMAND...: runs the command unless it has succeeded before. Two of us do not do the same.
once() {
  local done="$CACHE/$1.done"
  (
    flock 9
    [ -e "$done" ] || { "${@:2}" && touch "$done"; }
  ) 9> "$CACHE/$1.lock"
}

# need_npm NAME SPEC: prints the folder of a package, which is installed in a folder of its own.
need_npm() {
  once "npm-$1" install_npm "$1" "$2" >&2
  echo "$CACHE/$1/node_modules/$1"
}

# --force: it may be for another system, processor or libc.
install_npm() {
  mkdir -p "$CACHE/$1"
  echo '{"private":true}' > "$CACHE/$1/package.json"
  npm install --prefix "$CACHE/$1" --ignore-scripts --force --no-audit --no-fund --loglevel=error "$1@npm:$2"
}

# Node's headers without a download, where the running Node carries them: NODEDIR, or empty.
NODEDIR="$(node -p 'require("path").resolve(process.execPath, "../..")')"
[ -e "$NODEDIR/include/node/node_api.h" ] || NODEDIR=

# prebuild ARGUMENT...: prebuildify, which asks node-gyp, which asks binding.gyp. build/ is removed
# afterwards: node-gyp-build would prefer what is left there to the prebuilt file.
prebuild() {
  local log status=0
  log="$(mktemp)"
  [ -z "$NODEDIR" ] || export npm_package_config_node_gyp_nodedir="$NODEDIR"
  npx --no -- prebuildify --napi --strip --tag-libc "$@" > "$log" 2>&1 || status=$?
  rm -rf build
  if [ "$status" = 0 ] && grep -E 'warning:' "$log"; then
    echo 'the compiler warned; the addon must be clean under -Wall -Wextra'
    status=1
  elif [ "$status" != 0 ]; then
    cat "$log"
  fi >&2
  rm -f "$log"
  return "$status"
}

# What the scripts that call a compiler themselves have in common with binding.gyp.
CXX_FLAGS=(-std=c++20 -O2 -Wall -Wextra -Werror -fno-exceptions -fno-rtti
  -fvisibility=hidden -fvisibility-inlines-hidden -ffunction-sections -fdata-sections
  -DNODE_GYP_MODULE_NAME=holdfast -DNAPI_VERSION=8
  -DNODE_ADDON_API_DISABLE_CPP_EXCEPTIONS -DNODE_ADDON_API_DISABLE_DEPRECATED)

include_flags() {
  node -p '["node-api-headers", "node-addon-api"].map((name) => `-isystem ${require(name).include_dir}`).join(" ")'
}
