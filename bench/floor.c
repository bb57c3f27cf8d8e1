// The floor: what the same locks cost without JavaScript, Node-API or a library, in plain C.
//
// One program with nine modes. It is compiled by lib/floor.mjs, stays alive from round to round,
// reads one command a line from standard input and answers each with one line of numbers.
//
//   floor bare FILE             TIMES               nanoseconds for so many try + release
//   floor sidecar FILE          TIMES               the same, with the system calls of a sidecar
//   floor hand-over FILE        HOLDS MILLISECONDS  "asked granted released" for every hold
//   floor counter FILE COUNTER  TIMES START         "began ended", having added TIMES to COUNTER
//   floor attached FILE         TIMES               as bare: a lease, floor-lease.c
//   floor file FILE             TIMES               a file that is created, locked and removed
//   floor detached FILE         TIMES               a file that is created, synced and removed
//   floor renew FILE            TIMES               renewals of one lease
//   floor pipe FIFO             0                   when nobody had it open for writing any more
//
// Times of day are nanoseconds of CLOCK_MONOTONIC, which all processes share. The two loops make
// the system calls of native/lock_handle.cc, native/sidecar.cc and native/posix/os.cc in their
// order, with their flags, sizes and offsets; whoever changes those changes this file too. To
// compare, run `strace -f` on a program that locks and releases once, and on this one.
#define _GNU_SOURCE
#include "floor.h"

enum { kSize = 512, kHeader = 12, kStateOffset = 10, kDigits = 16 };

static const char *resource;
static char sidecar[4096];
static char contents[kSize];

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void sleepNs(int64_t ns) {
  if (ns <= 0) return;
  struct timespec t = {ns / 1000000000, ns % 1000000000};
  nanosleep(&t, NULL);
}

static void lockFile(int fd, int wait) {
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return;
  check(wait && errno == EWOULDBLOCK, "flock");
  check(flock(fd, LOCK_EX) == 0, "flock");
}

// { sidecar: false }: the resource itself is locked, and nothing is written.
static int acquireBare(int wait) {
  struct stat opened, named;
  const int fd = open(resource, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  check(fd != -1, "open");
  check(fstat(fd, &opened) == 0 && S_ISREG(opened.st_mode), "fstat");
  judge(fd, &opened);
  lockFile(fd, wait);
  check(stat(resource, &named) == 0, "stat");
  sameFile(&opened, &named);
  return fd;
}

// The default: the sidecar is locked, and the holder signs in.
static int acquireSidecar(int wait) {
  struct stat opened, named;
  char bytes[4096];
  check(readlink(resource, bytes, sizeof bytes) == -1 && errno == EINVAL, "readlink");
  const int fd = open(sidecar, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
  check(fd != -1, "open");
  check(fstat(fd, &opened) == 0 && S_ISREG(opened.st_mode), "fstat");
  judge(fd, &opened);
  lockFile(fd, wait);
  check(lstat(sidecar, &named) == 0, "lstat");
  sameFile(&opened, &named);
  check(pread(fd, bytes, kSize, 0) == kSize && memcmp(bytes, contents, 9) == 0, "pread");
  contents[kStateOffset] = 'H';
  check(pwrite(fd, contents + kStateOffset, kSize - kStateOffset, kStateOffset) ==
            kSize - kStateOffset, "pwrite");
  return fd;
}

static void releaseSidecar(int fd) {
  char header[kHeader];
  check(pread(fd, header, kHeader, 0) == kHeader && memcmp(header, contents, 9) == 0, "pread");
  check(pwrite(fd, "R", 1, kStateOffset) == 1, "pwrite");
  unlockAndClose(fd);
}

static void makeSidecar(void) {
  snprintf(sidecar, sizeof sidecar, "%s.lock", resource);
  memset(contents, ' ', kSize);
  const char text[] =
      "holdfast1-R\n{\"owner\":\"user@host\",\"pid\":1,\"startedAt\":1,\"host\":\"host\","
      "\"command\":\"floor\",\"since\":1}";
  memcpy(contents, text, sizeof text - 1);
  contents[kSize - 1] = '\n';
  const int fd = open(sidecar, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  check(fd != -1 && pwrite(fd, contents, kSize, 0) == kSize, "create");
  close(fd);
}

static void handOver(long holds, long milliseconds) {
  const int64_t end = now() + milliseconds * 1000000;
  for (long i = 0; i < holds && now() < end; ++i) {
    sleepNs(1000000);
    const int64_t asked = now();
    const int fd = acquireBare(1);
    const int64_t granted = now();
    sleepNs(2000000);
    const int64_t released = now();
    unlockAndClose(fd);
    printf("%lld %lld %lld ", (long long)asked, (long long)granted, (long long)released);
  }
}

static void addOne(int fd) {
  char text[32] = {0};
  check(pread(fd, text, kDigits, 0) == kDigits, "pread");
  snprintf(text, sizeof text, "%0*lld", kDigits, atoll(text) + 1);
  check(pwrite(fd, text, kDigits, 0) == kDigits, "pwrite");
}

// Opened, it has waited for the writer; at its end, the writer is gone.
static void endOfPipe(void) {
  char bytes[16];
  const int fd = open(resource, O_RDONLY | O_CLOEXEC);
  check(fd != -1, "open");
  while (read(fd, bytes, sizeof bytes) > 0) continue;
  printf("%lld", (long long)now());
  close(fd);
}

int main(int argc, char **argv) {
  check(argc >= 3, "usage: floor MODE FILE [COUNTER]");
  const char *mode = argv[1];
  resource = argv[2];
  if (strcmp(mode, "sidecar") == 0 || strcmp(mode, "counter") == 0) makeSidecar();
  if (strcmp(mode, "pipe") == 0) check(mkfifo(resource, 0600) == 0, "mkfifo");
  const int lease = beginLease(mode, resource);
  const int counter = argc > 3 ? open(argv[3], O_RDWR | O_CLOEXEC) : -1;
  char line[128];
  while (fgets(line, sizeof line, stdin) != NULL) {
    long long first = 0, second = 0;
    check(sscanf(line, "%lld %lld", &first, &second) >= 1, "command");
    if (strcmp(mode, "pipe") == 0) {
      endOfPipe();
    } else if (strcmp(mode, "hand-over") == 0) {
      handOver(first, second);
    } else if (strcmp(mode, "counter") == 0) {
      sleepNs(second - now());
      const int64_t began = now();
      for (long i = 0; i < first; ++i) {
        const int fd = acquireSidecar(1);
        addOne(counter);
        releaseSidecar(fd);
      }
      printf("%lld %lld", (long long)began, (long long)now());
    } else {
      const int bare = strcmp(mode, "bare") == 0;
      const int64_t began = now();
      for (long i = 0; i < first; ++i) {
        if (lease) {
          turnLease();
        } else if (bare) {
          unlockAndClose(acquireBare(0));
        } else {
          releaseSidecar(acquireSidecar(0));
        }
      }
      printf("%lld", (long long)(now() - began));
    }
    printf("\n");
    fflush(stdout);
  }
  return 0;
}
