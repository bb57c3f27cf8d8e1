#!/usr/bin/env bash
# Builds the binary for this platform twice from the commit that is checked out, each time in a new
# folder of another name, and fails unless both have the same bytes.
. "$(dirname "$0")/common.sh"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
sums=()
for folder in "$work/a" "$work/another"; do
  git clone -q . "$folder"
  ln -s "$PWD/node_modules" "$folder/node_modules"
  bash "$folder/scripts/build-prebuilds.sh" > /dev/null
  sums+=("$(cd "$folder/prebuilds" && sha256sum -- */*.node)")
  echo "${sums[-1]}"
done
[ "${sums[0]}" = "${sums[1]}" ] || { echo 'two builds of one commit differ' >&2; exit 1; }
