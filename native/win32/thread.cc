// Threads, events and sleep on Windows.
//
// Time-outs of Windows are in milliseconds and are only looked at when the system clock ticks,
// every 15.6 ms unless somebody asked for more; a wait may even end up to a tick early
// (WaitForSingleObject, remarks). So nothing here returns before the monotonic clock says that it
// may, and short sleeps use a high-resolution timer where there is one (Windows 10 1803).
#include <process.h>

#include <algorithm>
#include <new>

#include "error.h"

namespace holdfast::os {
namespace {

constexpr std::uint64_t kNsPerMs = 1'000'000;
constexpr std::uint64_t kLongestWaitMs = 0x7FFFFFFF;  // INFINITE is 2^32 - 1
constexpr std::uint64_t kNsPerTimerTick = 100;
constexpr DWORD kHighResolution = 0x2;  // CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, in newer headers

constexpr unsigned kStackSize = 256 * 1024;  // Links are read into 16 KiB of it

DWORD roundUpToMs(std::uint64_t ns) {
  return static_cast<DWORD>(std::min((ns - 1) / kNsPerMs + 1, kLongestWaitMs));
}

struct Entry {
  void (*run)(void*);
  void* argument;
};

unsigned __stdcall runEntry(void* raw) {
  const Entry entry = *static_cast<Entry*>(raw);
  delete static_cast<Entry*>(raw);
  entry.run(entry.argument);
  return 0;
}

}  // namespace

void sleepNs(std::uint64_t duration) {
  const std::uint64_t start = monotonicNs();
  const Handle timer(
      CreateWaitableTimerExW(nullptr, nullptr, kHighResolution, SYNCHRONIZE | TIMER_MODIFY_STATE));
  for (std::uint64_t elapsed = 0; elapsed < duration; elapsed = monotonicNs() - start) {
    const std::uint64_t left = duration - elapsed;
    LARGE_INTEGER due;
    due.QuadPart = -static_cast<LONGLONG>((left - 1) / kNsPerTimerTick + 1);  // negative: from now
    if (timer && SetWaitableTimer(timer.get(), &due, 0, nullptr, nullptr, FALSE)) {
      WaitForSingleObject(timer.get(), INFINITE);
    } else {
      Sleep(roundUpToMs(left));
    }
  }
}

void yield() { SwitchToThread(); }

// Should the event not have been made (no memory), waits end at their time-out.
Event::Event() : state_(CreateEventW(nullptr, TRUE, FALSE, nullptr)) {}

Event::~Event() {
  if (state_ != nullptr) CloseHandle(state_);
}

void Event::set() {
  if (state_ != nullptr) SetEvent(state_);
}

bool Event::wait(std::uint64_t timeoutNs) {
  const std::uint64_t start = monotonicNs();
  for (;;) {
    const std::uint64_t elapsed = monotonicNs() - start;
    const bool expired = elapsed >= timeoutNs;
    const DWORD left = expired ? 0 : roundUpToMs(timeoutNs - elapsed);
    if (state_ == nullptr) {
      Sleep(left);
    } else if (WaitForSingleObject(state_, left) == WAIT_OBJECT_0) {
      return true;
    }
    if (expired) return false;
  }
}

// _beginthreadex and not CreateThread: the C run-time library keeps data for each thread.
Failure Thread::start(void (*run)(void*), void* argument) {
  Entry* entry = new (std::nothrow) Entry{run, argument};
  if (entry == nullptr) return {ENOMEM, "_beginthreadex"};
  handle_ = _beginthreadex(nullptr, kStackSize, runEntry, entry, STACK_SIZE_PARAM_IS_A_RESERVATION,
                           nullptr);
  if (handle_ != 0) return {};
  const int error = errno;
  delete entry;
  return {error, "_beginthreadex"};
}

void Thread::join() {
  if (handle_ == 0) return;
  WaitForSingleObject(asHandle(handle_), INFINITE);
  CloseHandle(asHandle(handle_));
  handle_ = 0;
}

// The thread may outlive the last JavaScript environment that has this library loaded. Were it
// unloaded then, the thread would return into nothing: from here on the library stays.
void Thread::detach() {
  if (handle_ == 0) return;
  HMODULE pinned;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                     reinterpret_cast<LPCWSTR>(&runEntry), &pinned);
  CloseHandle(asHandle(handle_));
  handle_ = 0;
}

}  // namespace holdfast::os
