// What the two halves of the floor share: the checks and the steps that every lock is made of.
#ifndef HOLDFAST_BENCH_FLOOR_H
#define HOLDFAST_BENCH_FLOOR_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifdef __APPLE__
#include <sys/mount.h>
#define HAS_DEVICE(info) 0
#else
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#define HAS_DEVICE(info) (major((info)->st_dev) != 0)
#endif

// floor-lease.c: prepares for one of its modes, false if it is none; one turn of that mode.
int beginLease(const char *mode, const char *resource);
void turnLease(void);

static inline void check(int ok, const char *call) {
  if (ok) return;
  perror(call);
  exit(1);
}

static inline void unlockAndClose(int fd) {
  check(flock(fd, LOCK_UN) == 0, "flock");
  close(fd);
}

// The number of a filesystem without a device says too little (native/posix/system.cc).
static inline void judge(int fd, const struct stat *opened) {
  struct statfs volume;
  if (!HAS_DEVICE(opened)) check(fstatfs(fd, &volume) == 0, "fstatfs");
}

static inline void sameFile(const struct stat *opened, const struct stat *named) {
  check(opened->st_dev == named->st_dev && opened->st_ino == named->st_ino, "verify");
}

#endif
