#!/usr/bin/env bash
# The whole suite on every Node that is supported, one after the other. Further arguments go to tap:
# `npm run test:runtimes -- test-build/lease.test.js`. RUNTIMES="node20 node26" picks some.
. "$(dirname "$0")/common.sh"

results=()
failed=0
for runtime in ${RUNTIMES:-node20 node22 node24 node26}; do
  version="$(bash scripts/run-in.sh "$runtime" --version)"
  printf '\n== %s, Node %s\n' "$runtime" "$version"
  start="$SECONDS"
  log="$CACHE/suite-$runtime.tap"
  result=passed
  bash scripts/run-in.sh "$runtime" node_modules/.bin/tap --disable-coverage --reporter=tap \
    --test-env=PREBUILDS_ONLY=1 "$@" > "$log" || {
    result="FAILED, see $log"
    failed=1
  }
  grep -aE '^ *not ok|^# \{' "$log" || true
  results+=("$(printf '%-8s %-10s %s  %ss' "$runtime" "$version" "$result" "$((SECONDS - start))")")
done
printf '\n'
printf '%s\n' "${results[@]}"
exit "$failed"
