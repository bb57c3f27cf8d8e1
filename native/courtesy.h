// Courtesy: a holder that releases while others wait lets them in before it comes back.
//
// flock(2) serves blocked waiters in order of arrival, but a process that unlocks and locks again
// at once overtakes them all: the woken waiter needs tens of microseconds to run, the looper one
// (four grants in five seconds were measured for such a waiter). So a waiter leaves a letter in
// the sidecar before it blocks, and a process that finds one at its release stays away from that
// file for a moment.
//
// Whose letter it is tells whether somebody waits. The holder's own, from its own wait: nobody has
// come since, and all who came before have been served, so it is wiped. Another's: somebody waits,
// or has waited and given up, or does not get a processor. So the moment grows while the same
// letter stands and nobody else takes the lock, and after a number of fruitless moments the letter
// is wiped. Every new waiter writes another letter, which starts the count anew.
//
// Letters are written without a lock, and one can be lost: two waiters write at the same time, or
// arrive in the kernel's queue in another order than they wrote. So for a second after a letter was
// seen, a process that keeps taking the lock stays away for a moment every now and then anyway.
#pragma once

#include "os.h"

namespace holdfast::courtesy {

// Called at a release that found `letter` in the sidecar, by a holder that had left `own` while it
// waited (sidecar::kNobody for none). Notes for how long this process stays away from the file.
// True: the letter stands for nobody any more, wipe it.
bool isStale(const os::FileId& file, char letter, char own);

// How long this process still stays away from the file, in nanoseconds.
std::uint64_t remaining(const os::FileId& file);

}  // namespace holdfast::courtesy
