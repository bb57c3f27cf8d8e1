// The signal that gets a thread out of a blocking flock(2). Used by os.cc and thread.cc only.
#pragma once

#include <cstdint>

#include "../os.h"

namespace holdfast::os {

// Makes sure that our handler is installed for some signal and unblocks that one for the calling
// thread. Returns its number, or 0 with `failure` set when no signal is free.
int listenForWakeSignal(Failure& failure);

// pthread_self() as Interrupt keeps it.
std::uintptr_t currentThread();

}  // namespace holdfast::os
