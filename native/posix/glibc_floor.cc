// Lets a binary that was built on a new glibc run on an old one: 2.28, which Node itself asks for.
//
// A symbol of glibc carries the version in which it last changed, and the linker takes the newest.
// Ten functions that we call were given new versions without doing anything else for us: 2.32
// to 2.34 moved libpthread into libc (where pthread_kill of a thread that has ended is no error any
// more; we do not look), and 2.33 made ordinary functions of the stat family. An old glibc would
// refuse the whole binary for them. So they are defined here, for this binary alone: those of
// threads pass the call on to the version that every glibc has, and the three of stat are the
// system call, as they are in glibc. Nothing else has to know; without this file the addon works
// the same, on newer systems. scripts/check-prebuilds.mjs sees to it that no new function slips in.
//
// Other ways: the old glibc's headers and libraries (a second distribution in every build); dlsym
// (itself new in 2.34); weak references (versioned as well).
#include <features.h>

// Sanitizers intercept these functions by their names, and must see them.
#if defined(__GLIBC__) && (defined(__x86_64__) || defined(__aarch64__)) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if __GLIBC_PREREQ(2, 34)
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The version of glibc's `name` that is called oldest_NAME here. On arm64 all began with 2.17.
#ifdef __aarch64__
#define VERSION(x86_64) "GLIBC_2.17"
#else
#define VERSION(x86_64) x86_64
#endif
#define OLDEST(name, version)                                      \
  __asm__(".symver oldest_" #name "," #name "@" VERSION(version)); \
  decltype(name) oldest_##name

extern "C" {
OLDEST(pthread_attr_setstacksize, "GLIBC_2.2.5");
OLDEST(pthread_condattr_setclock, "GLIBC_2.3.3");
OLDEST(pthread_create, "GLIBC_2.2.5");
OLDEST(pthread_detach, "GLIBC_2.2.5");
OLDEST(pthread_join, "GLIBC_2.2.5");
OLDEST(pthread_kill, "GLIBC_2.2.5");
OLDEST(pthread_sigmask, "GLIBC_2.2.5");

int pthread_attr_setstacksize(pthread_attr_t* attributes, size_t size) noexcept {
  return oldest_pthread_attr_setstacksize(attributes, size);
}
int pthread_condattr_setclock(pthread_condattr_t* attributes, clockid_t clock) noexcept {
  return oldest_pthread_condattr_setclock(attributes, clock);
}
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                   void* argument) noexcept {
  return oldest_pthread_create(thread, attributes, run, argument);
}
int pthread_detach(pthread_t thread) noexcept { return oldest_pthread_detach(thread); }
int pthread_join(pthread_t thread, void** result) { return oldest_pthread_join(thread, result); }
int pthread_kill(pthread_t thread, int signal) noexcept {
  return oldest_pthread_kill(thread, signal);
}
int pthread_sigmask(int how, const sigset_t* set, sigset_t* before) noexcept {
  return oldest_pthread_sigmask(how, set, before);
}

// On 64-bit systems the kernel's struct stat is glibc's.
int fstat64(int fd, struct stat64* out) noexcept {
  return static_cast<int>(::syscall(SYS_newfstatat, fd, "", out, AT_EMPTY_PATH));
}
int lstat64(const char* path, struct stat64* out) noexcept {
  return static_cast<int>(::syscall(SYS_newfstatat, AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW));
}
int stat64(const char* path, struct stat64* out) noexcept {
  return static_cast<int>(::syscall(SYS_newfstatat, AT_FDCWD, path, out, 0));
}
}
#endif
#endif
