// Stands in for macOS's: statfs(2), with the fields that we read.
#pragma once
#include <stdint.h>

#define MNT_LOCAL 0x1000

typedef struct fsid {
  int32_t val[2];
} fsid_t;

struct statfs {
  uint32_t f_flags;
  uint32_t f_type;
  fsid_t f_fsid;
  char f_fstypename[16];
  char f_mntfromname[1024];
};

#ifdef __cplusplus
extern "C" {
#endif
int statfs(const char *path, struct statfs *out);
int fstatfs(int fd, struct statfs *out);
#ifdef __cplusplus
}
#endif
