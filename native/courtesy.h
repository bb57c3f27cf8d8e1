// Courtesy: a holder that releases while others wait lets them in before it comes back.
//
// flock(2) serves blocked waiters in order of arrival, but a process that unlocks and locks again
// at once overtakes them all: the woken waiter needs tens of microseconds to run, the looper one
// (four grants in five seconds were measured for such a waiter). So a waiter leaves a letter in
// the sidecar before it blocks, and a process that sees it at its release stays away from that
// file for a moment.
//
// The letter may be all that remains of a waiter that gave up, and a waiter that is really there
// may not get a processor within the moment. So the moment grows while the same letter stands and
// nobody else takes the lock, and after a number of such fruitless moments the letter is wiped.
// Every new waiter changes the letter, which starts the count anew.
#pragma once

#include <cstdint>

#include "os.h"

namespace holdfast::courtesy {

// Called at a release that found `letter`. `waited`: this holder had itself been blocked before it
// was granted, so the queue moves. False: the letter is stale, wipe it.
bool yieldTo(const os::FileId& file, char letter, bool waited);

// How long this process still stays away from the file, in nanoseconds.
std::uint64_t remaining(const os::FileId& file);

}  // namespace holdfast::courtesy
