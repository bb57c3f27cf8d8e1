// Stands in for macOS's: sysctl(3), with the fields that we read.
#pragma once
#include <stddef.h>
#include <sys/time.h>

#define CTL_KERN 1
#define KERN_PROC 14
#define KERN_PROC_PID 1

struct kinfo_proc {
  struct {
    struct timeval p_starttime;
  } kp_proc;
};

#ifdef __cplusplus
extern "C" {
#endif
int sysctl(int *name, unsigned length, void *old, size_t *oldSize, void *next, size_t nextSize);
int sysctlbyname(const char *name, void *old, size_t *oldSize, void *next, size_t nextSize);
#ifdef __cplusplus
}
#endif
