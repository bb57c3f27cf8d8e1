// For check-darwin.sh: macOS's values over musl's headers, which come in first, so that their include
// guards keep what stands below. The C++ headers are Debian's, of which what rests on glibc is taken away. A name that differs and is not listed compiles with Linux's value:
// a check that passes says nothing of values, nor of how structures are laid out.
#pragma once
#ifdef __cplusplus
#define __GLIBC_PREREQ(major, minor) 0
#define _GLIBCXX_GTHREAD_USE_WEAK 0
#define __locale_t locale_t
enum : unsigned short {
  _ISupper, _ISlower, _ISalpha, _ISdigit, _ISxdigit, _ISspace,
  _ISprint, _ISgraph, _ISblank, _IScntrl, _ISpunct, _ISalnum,
};
#include <version>
#undef _GLIBCXX_HAVE_LINUX_FUTEX
#undef _GLIBCXX_USE_PTHREAD_COND_CLOCKWAIT
#undef _GLIBCXX_USE_PTHREAD_MUTEX_CLOCKLOCK
extern "C" {
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

int *__error(void);
int pthread_cond_timedwait_relative_np(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                       const struct timespec *wait);
#ifdef __cplusplus
}
#endif
#undef errno
#define errno (*__error())

#undef SIGRTMIN
#undef SIGRTMAX

#undef CLOCK_BOOTTIME
#undef CLOCK_MONOTONIC
#define CLOCK_MONOTONIC 6
#define CLOCK_UPTIME_RAW 8

#undef O_CREAT
#undef O_EXCL
#undef O_TRUNC
#undef O_NONBLOCK
#undef O_NOCTTY
#undef O_NOFOLLOW
#undef O_DIRECTORY
#undef O_CLOEXEC
#define O_NONBLOCK 0x4
#define O_NOFOLLOW 0x100
#define O_CREAT 0x200
#define O_TRUNC 0x400
#define O_EXCL 0x800
#define O_NOCTTY 0x20000
#define O_DIRECTORY 0x100000
#define O_CLOEXEC 0x1000000
#define F_FULLFSYNC 51

// Open-file-description locks are Linux's own.
#undef F_OFD_GETLK
#undef F_OFD_SETLK
#undef F_OFD_SETLKW

#undef EAGAIN
#undef EWOULDBLOCK
#undef ENOTSUP
#undef EOPNOTSUPP
#undef ELOOP
#undef ENAMETOOLONG
#define EAGAIN 35
#define EWOULDBLOCK EAGAIN
#define ENOTSUP 45
#define ELOOP 62
#define ENAMETOOLONG 63
#define EOPNOTSUPP 102
