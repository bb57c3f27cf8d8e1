// The floor of leases: the system calls of native/transaction.cc, native/guard.cc, native/sight.cc
// and native/exclusive_file.cc in their order, for a name that nobody else wants. Whoever changes
// those changes this file too; to compare, run `strace -f` on a program that takes a lease and
// releases it a few times, and on this one.
//
// The exceptions are `file` and `detached`: not what holdfast does, but the least that a grant costs.
// `file` is a lock file that ends with its process: created, locked, written, removed. Of a durable
// grant, the file and its name are on the medium before it counts, so it is created, written,
// synced with its directory, and removed. (holdfast syncs the removal, too, and looks first.)
#define _GNU_SOURCE
#include "floor.h"

enum { kGuardSize = 512, kHeader = 96, kNote = 416, kRecord = 400 };

static char folder[4096], guard[4200], record[4200], freeze[4200], queue[4200];
static char bytes[kGuardSize];
static int live = -1;
static int reserved;
static void (*turn)(void);

static void absent(const char *path) {
  struct stat named;
  check(lstat(path, &named) == -1 && errno == ENOENT, path);
}

static int lockGuard(void) {
  struct stat opened, named;
  const int fd = open(guard, O_RDWR | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  check(fd != -1, "open guard");
  check(fstat(fd, &opened) == 0 && S_ISREG(opened.st_mode), "fstat");
  judge(fd, &opened);
  check(flock(fd, LOCK_EX | LOCK_NB) == 0, "flock");
  check(lstat(guard, &named) == 0, "lstat");
  sameFile(&opened, &named);
  return fd;
}

static int createRecord(void) {
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
  const int fd = open(record, flags, 0600);
  check(fd != -1, "create");
  return fd;
}

static void syncFolder(void) {
  const int fd = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  check(fd != -1 && fsync(fd) == 0, "sync");
  close(fd);
}

static void acquire(void) {
  struct stat info;
  absent(queue);
  const int fd = lockGuard();
  absent(record);
  check(pread(fd, bytes, kGuardSize, 0) == kGuardSize, "pread");
  absent(freeze);
  // The ceiling is synced before the first token below it is granted, once for 4.5 minutes.
  if (!reserved) {
    check(pwrite(fd, bytes, kHeader, 0) == kHeader && fdatasync(fd) == 0, "reserve");
    reserved = 1;
  }
  live = createRecord();
  check(fstat(live, &info) == 0 && flock(live, LOCK_EX | LOCK_NB) == 0, "attach");
  check(pwrite(live, bytes, kRecord, 0) == kRecord && fstat(live, &info) == 0, "write");
  unlockAndClose(fd);
}

// What the holder does first, whatever it wants: it makes sure that the record is its own.
static int lockOwn(void) {
  struct stat named;
  const int fd = lockGuard();
  check(lstat(record, &named) == 0, "lstat");
  check(pread(live, bytes, kRecord, 0) == kRecord, "pread");
  return fd;
}

static void release(void) {
  const int fd = lockOwn();
  check(unlink(record) == 0, "unlink");
  check(pwrite(fd, bytes, kNote, kHeader) == kNote, "pwrite");
  unlockAndClose(fd);
  unlockAndClose(live);
}

static void attachedTurn(void) {
  acquire();
  release();
}

static void renewTurn(void) {
  const int fd = lockOwn();
  check(pwrite(live, bytes, kRecord, 0) == kRecord, "pwrite");
  unlockAndClose(fd);
}

static void fileTurn(void) {
  const int fd = createRecord();
  check(flock(fd, LOCK_EX | LOCK_NB) == 0, "flock");
  check(pwrite(fd, bytes, kRecord, 0) == kRecord, "write");
  check(unlink(record) == 0, "unlink");
  close(fd);
}

static void detachedTurn(void) {
  const int fd = createRecord();
  check(pwrite(fd, bytes, kRecord, 0) == kRecord && fsync(fd) == 0, "write");
  close(fd);
  syncFolder();
  check(unlink(record) == 0, "unlink");
}

int beginLease(const char *mode, const char *resource) {
  if (strcmp(mode, "attached") == 0) turn = attachedTurn;
  if (strcmp(mode, "file") == 0) turn = fileTurn;
  if (strcmp(mode, "detached") == 0) turn = detachedTurn;
  if (strcmp(mode, "renew") == 0) turn = renewTurn;
  if (turn == NULL) return 0;
  snprintf(folder, sizeof folder, "%s.leases", resource);
  snprintf(guard, sizeof guard, "%s/bench.guard", folder);
  snprintf(record, sizeof record, "%s/bench.lock", folder);
  snprintf(freeze, sizeof freeze, "%s/bench.freeze", folder);
  snprintf(queue, sizeof queue, "%s/bench.queue", folder);
  memset(bytes, ' ', sizeof bytes);
  check(mkdir(folder, 0700) == 0 || errno == EEXIST, "mkdir");
  const int fd = open(guard, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  check(fd != -1 && pwrite(fd, bytes, kGuardSize, 0) == kGuardSize, "guard");
  close(fd);
  if (turn == renewTurn) acquire();
  return 1;
}

void turnLease(void) { turn(); }
