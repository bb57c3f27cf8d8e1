#!/usr/bin/env bash
# Builds the addon with sanitizers in a copy of the package and runs the stress program on it:
# first AddressSanitizer (with leaks) and UndefinedBehaviorSanitizer, then ThreadSanitizer.
# Fails on any report. Usage: test-sanitize.sh [SECONDS]
. "$(dirname "$0")/common.sh"
seconds="${1:-10}"

copy="$(mktemp -d)"
trap 'rm -rf "$copy"' EXIT
cp -r lib native binding.gyp package.json test/fixtures/{stress,random}.mjs scripts/{l,t}san.supp "$copy"
ln -s "$PWD/node_modules" "$copy/node_modules"

# run NAME FLAGS RUNTIME...
run() {
  local name="$1" flags="$2" preload="" log="$copy/$1.log" status=0
  shift 2
  for runtime in "$@"; do preload+="$(g++ -print-file-name="$runtime") "; done
  # _FORTIFY_SOURCE and sanitizers do not go together; frames are kept for readable reports.
  (cd "$copy" && CXXFLAGS="$flags -g -O1 -fno-omit-frame-pointer" LDFLAGS="$flags" \
    npx --no -- node-gyp rebuild ${NODEDIR:+"--nodedir=$NODEDIR"} > "$log" 2>&1) || { cat "$log"; return 1; }
  # -R: ThreadSanitizer wants its address ranges where they always were.
  (cd "$copy" && HOLDFAST_PACKAGE="$copy" LD_PRELOAD="$preload" \
    ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS="suppressions=$PWD/lsan.supp:print_suppressions=0" UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
    TSAN_OPTIONS="exitcode=0:suppressions=$PWD/tsan.supp" \
    setarch -R node stress.mjs "$seconds") > "$log" 2>&1 || status=$?
  grep 'stress: seed .* operations' "$log" || true
  # V8 is not instrumented, and what ThreadSanitizer makes of it is its own affair: a report counts
  # when our code has a part in it. The other sanitizers only look into our code.
  local reports
  reports="$(awk -v RS='==================' '/WARNING: ThreadSanitizer/ && /holdfast|native\//' "$log")"
  if [ "$status" != 0 ] || [ -n "$reports" ] ||
    grep -qE 'ERROR: (Address|Leak)Sanitizer|runtime error:' "$log"; then
    if [ -n "$reports" ]; then echo "$reports"; else cat "$log"; fi
    echo "$name: REPORTS (exit code $status)"
    return 1
  fi
  echo "$name: clean"
}

run 'address and undefined' '-fsanitize=address,undefined' libasan.so libubsan.so
run 'thread' '-fsanitize=thread' libtsan.so
