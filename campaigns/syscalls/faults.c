// Faults in the calls of a running process: loaded before libc (LD_PRELOAD), it stands in front of
// every function by which Node and the addon reach the files of leases, and does what the plan
// says.
//
// The plan is a small file that is mapped into memory ($HOLDFAST_FAULTS); whoever writes it arms
// the next operation of a process that is warm, so that a point costs a millisecond and not a start
// of Node. Only calls on files beneath a folder ($HOLDFAST_FAULTS_UNDER) count, by their path or by
// a descriptor that was opened by such a path; and the creation of threads. They are counted for
// the whole process, not for each thread.
//
// The campaign compares what is counted here with what strace(1) sees, so that no call goes past.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

// The order is that of `calls` in plan.mjs, and so is the layout of Plan.
enum Call {
  kOpen,
  kStat,
  kFlock,
  kRead,
  kWrite,
  kSync,
  kRename,
  kUnlink,
  kClose,
  kMkdir,
  kChmod,
  kReadlink,
  kStatfs,
  kScandir,
  kWatch,
  kThread,
  kCalls
};
enum Action { kNone, kFail, kLate, kShort, kDelay, kSignalBefore, kSignalAfter };

struct Plan {
  _Atomic int armed;
  int call;
  int nth;      // counted from 1
  int forever;  // and each one after it
  int action;
  int value;  // an errno, a signal, milliseconds, or how many bytes are left out
  _Atomic int hits;
  _Atomic int counts[kCalls];
};

static struct Plan* plan;
static const char* under;
static size_t underSize;
enum { kDescriptors = 4096 };
static _Atomic char watched[kDescriptors];

#define REAL(name)               \
  static __typeof__(name)* real; \
  if (real == NULL) real = dlsym(RTLD_NEXT, #name)

static long (*realSyscall)(long, ...);

__attribute__((constructor)) static void begin(void) {
  realSyscall = dlsym(RTLD_NEXT, "syscall");
  const char* path = getenv("HOLDFAST_FAULTS");
  under = getenv("HOLDFAST_FAULTS_UNDER");
  if (path == NULL || under == NULL) return;
  underSize = strlen(under);
  const int fd = (int)realSyscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
  if (fd == -1) abort();
  void* page = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) abort();
  realSyscall(SYS_close, fd);
  plan = page;
}

static int isBelow(const char* path) {
  return plan != NULL && path != NULL && strncmp(path, under, underSize) == 0;
}

static int isWatched(int fd) { return fd >= 0 && fd < kDescriptors && watched[fd]; }

static void watch(int fd, int on) {
  if (fd >= 0 && fd < kDescriptors) watched[fd] = (char)on;
}

static void signalSelf(void) {
  const int error = errno;
  // To this very thread: the signal is there when the call returns.
  realSyscall(SYS_tgkill, getpid(), realSyscall(SYS_gettid), plan->value);
  errno = error;
}

// Counts the call. What is left to be done to it by its wrapper, if it is the one.
static enum Action strike(int counts, enum Call call) {
  if (!counts || plan == NULL || !plan->armed) return kNone;
  const int number = ++plan->counts[call];
  if (plan->call != (int)call || plan->action == kNone) return kNone;
  if (number != plan->nth && !(plan->forever && number > plan->nth)) return kNone;
  ++plan->hits;
  if (plan->action == kDelay) {
    const struct timespec pause = {0, plan->value * 1000000L};
    nanosleep(&pause, NULL);
    return kNone;
  }
  if (plan->action == kSignalBefore) {
    signalSelf();
    return kNone;
  }
  return (enum Action)plan->action;
}

// A call that was made, and what its caller is told.
static long after(enum Action action, long result) {
  if (action == kSignalAfter) signalSelf();
  if (action != kLate) return result;
  errno = plan->value;
  return -1;
}

#define WRAP(type, counts, call, made)                 \
  const enum Action action = strike(counts, call);     \
  if (action == kFail) return errno = plan->value, -1; \
  return (type)after(action, (long)(made))

int open64(const char* path, int flags, ...) {
  REAL(open64);
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  const int counts = isBelow(path);
  const enum Action action = strike(counts, kOpen);
  if (action == kFail) return errno = plan->value, -1;
  const int fd = real(path, flags, mode);
  if (fd >= 0) watch(fd, counts);
  return (int)after(action, fd);
}

int close(int fd) {
  REAL(close);
  const int counts = isWatched(fd);
  watch(fd, 0);
  WRAP(int, counts, kClose, real(fd));
}

int flock(int fd, int operation) {
  REAL(flock);
  WRAP(int, isWatched(fd), kFlock, real(fd, operation));
}

ssize_t pread64(int fd, void* into, size_t size, off64_t offset) {
  REAL(pread64);
  WRAP(ssize_t, isWatched(fd), kRead, real(fd, into, size, offset));
}

ssize_t read(int fd, void* into, size_t size) {
  REAL(read);
  WRAP(ssize_t, isWatched(fd), kRead, real(fd, into, size));
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  REAL(pwrite64);
  const enum Action action = strike(isWatched(fd), kWrite);
  if (action == kFail) return errno = plan->value, -1;
  if (action == kShort && size > 1) size /= 2;
  return (ssize_t)after(action, real(fd, bytes, size, offset));
}

int fsync(int fd) {
  REAL(fsync);
  WRAP(int, isWatched(fd), kSync, real(fd));
}

int rename(const char* from, const char* to) {
  REAL(rename);
  WRAP(int, isBelow(from), kRename, real(from, to));
}

int unlink(const char* path) {
  REAL(unlink);
  WRAP(int, isBelow(path), kUnlink, real(path));
}

int mkdir(const char* path, mode_t mode) {
  REAL(mkdir);
  WRAP(int, isBelow(path), kMkdir, real(path, mode));
}

int fchmod(int fd, mode_t mode) {
  REAL(fchmod);
  WRAP(int, isWatched(fd), kChmod, real(fd, mode));
}

ssize_t readlink(const char* path, char* into, size_t size) {
  REAL(readlink);
  WRAP(ssize_t, isBelow(path), kReadlink, real(path, into, size));
}

int statfs64(const char* path, struct statfs64* out) {
  REAL(statfs64);
  WRAP(int, isBelow(path), kStatfs, real(path, out));
}

int fstatfs64(int fd, struct statfs64* out) {
  REAL(fstatfs64);
  WRAP(int, isWatched(fd), kStatfs, real(fd, out));
}

int scandir64(const char* path, struct dirent64*** names, int (*filter)(const struct dirent64*),
              int (*compare)(const struct dirent64**, const struct dirent64**)) {
  REAL(scandir64);
  WRAP(int, isBelow(path), kScandir, real(path, names, filter, compare));
}

int inotify_add_watch(int fd, const char* path, unsigned mask) {
  static int (*real)(int, const char*, unsigned);
  if (real == NULL)
    real = (int (*)(int, const char*, unsigned))dlsym(RTLD_NEXT, "inotify_add_watch");
  WRAP(int, isBelow(path), kWatch, real(fd, path, mask));
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                   void* argument) {
  REAL(pthread_create);
  const enum Action action = strike(1, kThread);
  if (action == kFail) return plan->value;
  const int result = real(thread, attributes, run, argument);
  if (action == kSignalAfter) signalSelf();
  return result;
}

// The addon's stat, fstat and lstat (native/posix/glibc_floor.cc), and libuv's; and libuv's close.
long syscall(long number, ...) {
  va_list more;
  va_start(more, number);
  long a[6];
  for (int i = 0; i < 6; i++) a[i] = va_arg(more, long);
  va_end(more);
  if (number == SYS_close && isWatched((int)a[0])) return close((int)a[0]);
  const char* path = (const char*)a[1];
  int counts = 0;
  if (number == SYS_newfstatat || number == SYS_statx) {
    counts = path[0] == '\0' ? isWatched((int)a[0]) : isBelow(path);
  }
  if (!counts) return realSyscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  WRAP(long, 1, kStat, realSyscall(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}
