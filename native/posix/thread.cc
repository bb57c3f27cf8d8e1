// Threads, events, clocks, and the signal that interrupts a waiter, on Linux and macOS.
//
// The signal. A program that embeds us may use any signal for its own ends, so we take one that
// nobody handles: on Linux the first real-time signal after SIGRTMIN whose disposition is the
// default, on macOS SIGURG, which is ignored by default. The disposition is looked at again before
// every wait: if somebody took it over meanwhile, we move on to another. It is only ever sent to a
// thread of ours that is inside File::lock, so no other call of the program is interrupted by it.
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include <mutex>

#include "wake_signal.h"

namespace holdfast::os {
namespace {

void doNothing(int) {}

bool isOurs(int signal) {
  struct sigaction current;
  return ::sigaction(signal, nullptr, &current) == 0 && !(current.sa_flags & SA_SIGINFO) &&
         current.sa_handler == doNothing;
}

bool claim(int signal) {
  struct sigaction current;
  if (::sigaction(signal, nullptr, &current) == -1) return false;
  if ((current.sa_flags & SA_SIGINFO) || current.sa_handler != SIG_DFL) return false;
  struct sigaction ours = {};
  ours.sa_handler = doNothing;
  ::sigemptyset(&ours.sa_mask);
  ours.sa_flags = 0;  // no SA_RESTART: the whole point is EINTR
  return ::sigaction(signal, &ours, nullptr) == 0;
}

// Node unloads the library when the last worker thread that had it ends. A handler that stays
// installed, and a thread that is left to itself, would then run into nothing. On Linux the linker
// prevents it (-z nodelete in binding.gyp); macOS counts who has opened a library, and we never
// close.
void stayLoaded() {
#ifdef __APPLE__
  Dl_info own;
  if (::dladdr(reinterpret_cast<const void*>(&doNothing), &own) != 0) {
    ::dlopen(own.dli_fname, RTLD_LAZY);
  }
#endif
}

std::mutex signalMutex;
int claimedSignal = 0;

int wakeSignal() {
  const std::lock_guard<std::mutex> lock(signalMutex);
  if (claimedSignal != 0 && isOurs(claimedSignal)) return claimedSignal;
  claimedSignal = 0;
#ifdef SIGRTMIN
  for (int signal = SIGRTMIN + 1; signal < SIGRTMAX && claimedSignal == 0; ++signal) {
    if (claim(signal)) claimedSignal = signal;
  }
#else
  for (const int signal : {SIGURG, SIGIO, SIGWINCH}) {
    if (claimedSignal == 0 && claim(signal)) claimedSignal = signal;
  }
#endif
  if (claimedSignal != 0) stayLoaded();
  return claimedSignal;
}

timespec toTimespec(std::uint64_t ns) {
  return {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
}

std::uint64_t clockNs(clockid_t clock) {
  timespec now = {};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

struct EventState {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  bool set = false;
};

EventState* stateOf(void* state) { return static_cast<EventState*>(state); }

struct Entry {
  void (*run)(void*);
  void* argument;
};

void* runEntry(void* raw) {
  const Entry entry = *static_cast<Entry*>(raw);
  delete static_cast<Entry*>(raw);
  entry.run(entry.argument);
  return nullptr;
}

// Room for our frames, the C library's thread-local data and a signal frame; only touched pages
// are resident. Sanitizers keep shadow frames on the stack.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kStackSize = std::size_t{1024} * 1024;
#else
constexpr std::size_t kStackSize = std::size_t{128} * 1024;
#endif

}  // namespace

int listenForWakeSignal(Failure& failure) {
  const int signal = wakeSignal();
  if (signal == 0) {
    failure = {EAGAIN, "sigaction"};
    return 0;
  }
  sigset_t only;
  ::sigemptyset(&only);
  ::sigaddset(&only, signal);
  ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  return signal;
}

std::uintptr_t currentThread() { return reinterpret_cast<std::uintptr_t>(::pthread_self()); }

Interrupt::Interrupt() = default;
Interrupt::~Interrupt() = default;

void Interrupt::request() {
  requested_.store(true, std::memory_order_release);
  const std::lock_guard<std::mutex> guard(mutex_);
  // EAGAIN (no room to queue a real-time signal) needs no answer: request() is called again.
  if (target_ != 0) ::pthread_kill(reinterpret_cast<pthread_t>(target_), signal_);
}

// On macOS CLOCK_MONOTONIC_RAW goes on while the machine sleeps, and CLOCK_UPTIME_RAW does not.
// CLOCK_MONOTONIC does as well, but is put together from the wall clock and has been seen to step
// back by microseconds.
#ifdef __APPLE__
std::uint64_t monotonicNs() { return clockNs(CLOCK_UPTIME_RAW); }
std::uint64_t boottimeNs() { return clockNs(CLOCK_MONOTONIC_RAW); }
#else
std::uint64_t monotonicNs() { return clockNs(CLOCK_MONOTONIC); }
std::uint64_t boottimeNs() { return clockNs(CLOCK_BOOTTIME); }
#endif

std::uint64_t wallClockUs() { return clockNs(CLOCK_REALTIME) / 1000; }

void sleepNs(std::uint64_t duration) {
  timespec left = toTimespec(duration);
  while (::nanosleep(&left, &left) == -1 && errno == EINTR) {
  }
}

void yield() { ::sched_yield(); }

Event::Event() : state_(new EventState) {
  EventState* state = stateOf(state_);
  ::pthread_mutex_init(&state->mutex, nullptr);
#ifdef __APPLE__
  ::pthread_cond_init(&state->condition, nullptr);  // waits are relative there, see below
#else
  pthread_condattr_t attributes;
  ::pthread_condattr_init(&attributes);
  ::pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  ::pthread_cond_init(&state->condition, &attributes);
  ::pthread_condattr_destroy(&attributes);
#endif
}

Event::~Event() {
  ::pthread_cond_destroy(&stateOf(state_)->condition);
  ::pthread_mutex_destroy(&stateOf(state_)->mutex);
  delete stateOf(state_);
}

void Event::set() {
  EventState* state = stateOf(state_);
  ::pthread_mutex_lock(&state->mutex);
  state->set = true;
  ::pthread_cond_broadcast(&state->condition);
  ::pthread_mutex_unlock(&state->mutex);
}

bool Event::wait(std::uint64_t timeoutNs) {
  EventState* state = stateOf(state_);
  const std::uint64_t start = monotonicNs();
  ::pthread_mutex_lock(&state->mutex);
  while (!state->set) {
    const std::uint64_t elapsed = monotonicNs() - start;
    if (elapsed >= timeoutNs) break;
#ifdef __APPLE__
    const timespec wait = toTimespec(timeoutNs - elapsed);
    ::pthread_cond_timedwait_relative_np(&state->condition, &state->mutex, &wait);
#else
    const timespec until = toTimespec(start + timeoutNs);
    ::pthread_cond_timedwait(&state->condition, &state->mutex, &until);
#endif
  }
  const bool set = state->set;
  ::pthread_mutex_unlock(&state->mutex);
  return set;
}

Failure Thread::start(void (*run)(void*), void* argument) {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStackSize);
  // The new thread inherits the mask of this one. It must never run a handler of the program, not
  // even in its first instructions, so everything is blocked before it exists.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  Entry* entry = new Entry{run, argument};
  const int error = ::pthread_create(&thread, &attributes, runEntry, entry);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_attr_destroy(&attributes);
  if (error != 0) {
    delete entry;
    return {error, "pthread_create"};
  }
  handle_ = reinterpret_cast<std::uintptr_t>(thread);
  return {};
}

void Thread::join() { ::pthread_join(reinterpret_cast<pthread_t>(handle_), nullptr); }
void Thread::detach() {
  stayLoaded();
  ::pthread_detach(reinterpret_cast<pthread_t>(handle_));
}

}  // namespace holdfast::os
