#!/usr/bin/env bash
# Installs what the benchmark compares with, in bench/node_modules. No install script of theirs is
# run; the two that have to be compiled are compiled with our own node-gyp.
. "$(dirname "$0")/common.sh"

if ! [ bench/node_modules/.package-lock.json -nt bench/package-lock.json ]; then
  npm ci --prefix bench --ignore-scripts --no-audit --no-fund --loglevel=error
fi
for package in fs-ext os-lock; do
  [ -z "$(find "bench/node_modules/$package/build/Release" -maxdepth 1 -name '*.node' 2> /dev/null)" ] || continue
  log="$(mktemp)"
  # A contender that cannot be built is shown as absent; the others are measured.
  npx --no -- node-gyp rebuild -C "bench/node_modules/$package" ${NODEDIR:+--nodedir="$NODEDIR"} > "$log" 2>&1 ||
    { tail -5 "$log"; echo "$package could not be built and is left out"; } >&2
  rm -f "$log"
done
