#!/usr/bin/env bash
# Checks the models and every mutant of them: run.sh [short|full]. The short form has two processes, the
# full one three as well; the table in docs/reliability.md says what that takes.
#
# `holds` is gone through to the end without an error; `fails` has to show one. Fails otherwise, and
# when memory or depth ran out before the end.
set -euo pipefail
cd "$(dirname "$0")"
mode="${1:-short}"
here="$PWD"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# check WANT MODEL DEFINES...
check() {
  local want="$1" model="$2" got=unfinished folder states what seconds
  shift 2
  folder="$(mktemp -d -p "$work")"
  cd "$folder"
  spin -a "$@" "$here/$model.pml" > log 2>&1 || { cat log; return 1; }
  # Only safety is looked for; O1 compiles in half the time of O2 and runs nearly as fast.
  gcc -O1 -w -DSAFETY -DCOLLAPSE -DMEMLIM="${MEMLIM:-12000}" -o pan pan.c
  ./pan -m2000000 > log 2>&1 || true
  what="$(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' log)"
  if [ -n "$what" ]; then got=fails
  elif grep -q 'errors: 0' log && ! grep -qE 'max search depth|MEMLIM|out of memory|not completed' log; then
    got=holds
  fi
  states="$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' log)"
  seconds="$(sed -n 's/^pan: elapsed time \([0-9.e+]*\) seconds/\1/p' log)"
  printf '%-4s %-6s %-10s %-48s %11s states %7s s  %.60s\n' "$([ "$got" = "$want" ] && echo ok || echo BAD)" \
    "$got" "$model" "$*" "$states" "$seconds" "$what"
  rm -rf "$folder"
  [ "$got" = "$want" ]
}
if [ "$mode" = --one ]; then
  shift
  check "$@"
  exit
fi

sound() {
  cat << 'END'
holds lease
holds lease -DNI=2 -DLEASE -DDETACHED -DRENEW
holds lease -DCRASH=0 -DNI=2 -DLEASE -DFORCE=1
holds lease -DCRASH=0 -DSTOP -DFORCE=1
holds lease -DCRASH=0 -DSTOP -DLEASE
holds lease -DCRASH=0 -DDETACHED -DFREEZE=1
holds lease -DCRASH=0 -DCUTS=1
holds lease -DCRASH=0 -DCUTS=1 -DUNPLUG
holds lease -DNI=2 -DCUTS=1 -DUNPLUG
holds lease -DCRASH=0 -DCUTS=1 -DNI=2 -DDETACHED -DRENEW
holds file-lock
holds file-lock -DUNLINK
END
}

mutants() {
  cat << 'END'
fails lease -DNOGUARD
fails lease -DNOLOCK
fails lease -DLATELOCK
fails lease -DTOKENINRECORD
fails lease -DNOTICK
fails lease -DCRASH=0 -DCUTS=1 -DTRUSTBOOT
fails lease -DCRASH=1 -DCUTS=1 -DEARLYBOOT
fails lease -DJUDGEWAITED
fails lease -DCRASH=0 -DLEASE -DNOEXPECT
fails lease -DCRASH=0 -DLEASE -DNOOWNER
fails lease -DCRASH=0 -DLEASE -DNOFENCE
fails lease -DCRASH=0 -DFREEZE=1 -DNOFREEZE
fails lease -DCRASH=0 -DLEASE -DRENEW -DRENAMERENEW
fails lease -DDETACHED -DRENEW -DTORNRENEW
fails lease -DCRASH=0 -DCUTS=1 -DNOSYNC
fails lease -DCRASH=0 -DCUTS=1 -DDETACHED -DNOFSYNC
fails lease -DCRASH=0 -DCUTS=1 -DDETACHED -DNODIRSYNC
fails lease -DSTOP -DEXCLUSIVEWAIT
fails lease -DCRASH=0 -DSTOP -DNORESCUE
fails lease -DCRASH=0 -DSTOP -DFORCE=1 -DNOLOOK
fails file-lock -DUNLINK -DNOLOOK
fails file-lock -DOUTSIDER
END
}

three() {
  cat << 'END'
holds lease -DN=3 -DNI=2 -DCRASH=1
holds lease -DN=3 -DNI=2 -DCRASH=0 -DLEASE -DDETACHED -DRENEW
holds lease -DN=3 -DCRASH=1
holds lease -DN=3 -DCRASH=0 -DLEASE -DDETACHED
holds lease -DN=3 -DNI=2 -DCRASH=0 -DSTOP -DFORCE=1
holds lease -DN=3 -DNI=2 -DCRASH=0 -DSTOP -DLEASE
holds lease -DN=3 -DNI=2 -DCRASH=0 -DFREEZE=1
holds lease -DN=3 -DNI=2 -DCRASH=0 -DCUTS=1
holds lease -DCRASH=2
holds lease -DCRASH=0 -DLEASE -DDETACHED -DRENEW
holds lease -DCRASH=0 -DLEASE -DFORCE=1
holds lease -DCUTS=1 -DCRASH=1
END
}

# all PARALLEL: the lines of the input
all() { xargs -P "$1" -L 1 bash run.sh --one; }

status=0
{ sound; mutants; } | all "$(nproc)" || status=1
# One after the other: each may take most of the memory.
if [ "$mode" = full ]; then three | all 1 || status=1; fi
count=$({ sound; mutants; if [ "$mode" = full ]; then three; fi; } | wc -l)
if [ "$status" = 0 ]; then echo "models: $count of $count as expected"; else echo 'models: BAD, see above'; fi
exit "$status"
