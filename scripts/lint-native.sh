#!/usr/bin/env bash
# clang-tidy over the addon, as it is compiled for this platform; .clang-tidy says what is looked
# for, and why some of it is not. Any finding is an error.
#
# The version is fixed: every one of them finds other things.
. "$(dirname "$0")/common.sh"

tidy=clang-tidy-19
need_apt "$tidy"

bash scripts/compile-commands.sh

# A check that is misspelt would be no error, just silence.
"$tidy" --verify-config

log="$(mktemp)"
trap 'rm -f "$log"' EXIT
status=0
printf '%s\0' native/*.cc native/posix/*.cc |
  xargs -0 -n 1 -P "$(nproc)" "$tidy" -p . --quiet --warnings-as-errors='*' 2> "$log" || status=$?
# On stderr it counts what it has suppressed in the system's headers; the rest is worth reading.
grep -Ev '^[0-9]+ warnings? (generated|treated)' "$log" >&2 || true
[ "$status" = 0 ] && echo 'the addon is clean'
exit "$status"
