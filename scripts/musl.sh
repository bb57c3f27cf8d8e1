# Sourced by the scripts that need C++ on musl. Debian has musl, but no C++ library for it: libstdc++
# is built from Debian's own sources of gcc (a minute, once). The addon uses its headers alone; the
# library itself is for Bun's musl build, which is the one runtime for musl to be had from npm.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

MUSL="$CACHE/musl"
MUSL_SPECS=/usr/lib/x86_64-linux-musl/musl-gcc.specs
# Those of x86-64 serve arm64 too: both are LP64, and the compiler's own macros tell the rest.
MUSL_CXX_HEADERS=(-nostdinc++ -isystem "$MUSL/include" -isystem "$MUSL/include/x86_64-linux-musl")

# need_musl_cxx: MUSL/include, and MUSL/lib/libstdc++.so.6.
need_musl_cxx() {
  need_apt g++ gcc-12-source make musl-tools xz-utils
  once musl-libstdcxx in_scratch build_musl_cxx
}

# need_musl_arm64: MUSL/arm64, with what Debian has for another processor; the system's own list of
# packages stays as it is.
need_musl_arm64() { once musl-arm64 in_scratch fetch_musl_arm64; }

# in_scratch COMMAND: in a new folder, which is removed afterwards; its output is told if it fails.
in_scratch() {
  local scratch status=0
  scratch="$(mktemp -d)"
  (set -e; cd "$scratch"; "$@") > "$scratch/log" 2>&1 || status=$?
  [ "$status" = 0 ] || tail -n 30 "$scratch/log" >&2
  rm -rf "$scratch"
  return "$status"
}

build_musl_cxx() {
  rm -rf "$MUSL/include" "$MUSL/lib"
  mkdir source object
  tar -xf /usr/src/gcc-12/gcc-12.*.tar.xz -C source --strip-components=1 --wildcards \
    'gcc-*/libstdc++-v3' 'gcc-*/libgcc' 'gcc-*/config*' 'gcc-*/include' 'gcc-*/libiberty' \
    'gcc-*/install-sh' 'gcc-*/ltmain.sh' 'gcc-*/missing' 'gcc-*/mkinstalldirs' 'gcc-*/move-if-change' \
    'gcc-*/*.m4' 'gcc-*/gcc/BASE-VER' 'gcc-*/gcc/DATESTAMP' 'gcc-*/depcomp' 'gcc-*/compile'
  ln -s gthr-posix.h source/libgcc/gthr-default.h
  local source="$PWD/source"
  cd object
  CPPFLAGS="-I$source/libgcc" CC="gcc -specs $MUSL_SPECS" CXX="g++ -specs $MUSL_SPECS" \
    "$source/libstdc++-v3/configure" --host=x86_64-linux-musl --build=x86_64-linux-gnu \
    --disable-multilib --disable-nls --disable-libstdcxx-pch --disable-werror \
    --enable-clocale=generic --enable-threads=posix --enable-libstdcxx-threads \
    --with-gxx-include-dir="$MUSL/include" --prefix="$MUSL"
  make -j"$(nproc)"
  make -C include install
  make -C libsupc++ install-stdHEADERS install-bitsHEADERS

  # The shared library from the objects that libtool has left. The unwinder of gcc asks glibc for
  # _dl_find_object; an exception would not unwind, and Bun throws none.
  mkdir -p "$MUSL/lib"
  echo 'int _dl_find_object(void *pc, void *result) { (void)pc; (void)result; return -1; }' > stub.c
  gcc -specs "$MUSL_SPECS" -fPIC -c stub.c -o stub.o
  # shellcheck disable=SC2046  # names without blanks
  g++ -specs "$MUSL_SPECS" -shared -nostdlib -Wl,-soname,libstdc++.so.6 -Wl,--allow-multiple-definition \
    -o "$MUSL/lib/libstdc++.so.6" "$(gcc -print-file-name=crtbeginS.o)" src/.libs/compatibility*.o \
    -Wl,--whole-archive $(find . -name '*convenience.a' | sort) -Wl,--no-whole-archive \
    stub.o -lgcc -lgcc_eh -lc "$(gcc -print-file-name=crtendS.o)"
}

fetch_musl_arm64() {
  local apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State="$PWD/state"
    -o Dir::State::status="$PWD/state/status" -o Dir::Cache="$PWD/cache")
  mkdir -p state/lists/partial cache/archives/partial
  touch state/status
  chmod a+rx .
  "${apt[@]}" update
  "${apt[@]}" download musl:arm64 musl-dev:arm64
  rm -rf "$MUSL/arm64"
  for package in *.deb; do dpkg-deb -x "$package" "$MUSL/arm64"; done
  # Where the linker looks, which would take libc.a if this were not there.
  cp "$MUSL/arm64/lib/aarch64-linux-musl/libc.so" "$MUSL/arm64/usr/lib/aarch64-linux-musl"
  sed -e "s|/usr/lib/x86_64-linux-musl|$MUSL/arm64/usr/lib/aarch64-linux-musl|g" \
    -e "s|/usr/include/x86_64-linux-musl|$MUSL/arm64/usr/include/aarch64-linux-musl|g" \
    -e 's|ld-musl-x86_64|ld-musl-aarch64|' "$MUSL_SPECS" > "$MUSL/arm64/musl-gcc.specs"
}
