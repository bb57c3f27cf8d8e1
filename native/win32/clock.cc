// Clocks on Windows, and which boot they belong to.
//
// Interrupt time counts from the boot, in units of 100 ns, and no setting of the wall clock touches
// it; the unbiased one leaves out what the machine slept ("Interrupt Time" in the Win32
// documentation). The performance counter promises neither the one nor the other.
//
// The precise variants are in kernelbase.dll since Windows 10. An import would go through an API
// set that the loader has to know, or it refuses the whole addon; so they are looked up. What
// stands in for them has the same zero, but moves only when the system clock ticks.
#include <string>

#include "error.h"

namespace holdfast::os {
namespace {

constexpr std::uint64_t kNsPerTick = 100;
constexpr std::uint64_t kNsPerMs = 1'000'000;
constexpr std::uint64_t kTicksPerUs = 10;
constexpr std::uint64_t kTicksUntil1970 = 116'444'736'000'000'000u;  // since 1601

using Query = void(WINAPI*)(PULONGLONG);

// By way of void*: FARPROC takes no arguments, and compilers warn about a cast that changes that.
void* lookUp(const wchar_t* library, const char* name) {
  const HMODULE module = GetModuleHandleW(library);
  return module == nullptr ? nullptr : reinterpret_cast<void*>(GetProcAddress(module, name));
}

// What NtQuerySystemInformation answers to SystemTimeOfDayInformation; headers hide the fields.
struct TimeOfDay {
  LARGE_INTEGER bootTime;
  LARGE_INTEGER currentTime;
  LARGE_INTEGER timeZoneBias;
  ULONG timeZoneId;
  ULONG reserved;
  LONGLONG bootTimeBias;
  LONGLONG sleepTimeBias;
};
static_assert(sizeof(TimeOfDay) == 48);

constexpr ULONG kSystemTimeOfDay = 3;
using QuerySystem = LONG(NTAPI*)(ULONG, PVOID, ULONG, PULONG);

}  // namespace

std::uint64_t monotonicNs() {
  static const Query precise =
      reinterpret_cast<Query>(lookUp(L"kernelbase.dll", "QueryUnbiasedInterruptTimePrecise"));
  ULONGLONG ticks = 0;
  if (precise != nullptr) {
    precise(&ticks);
  } else {
    QueryUnbiasedInterruptTime(&ticks);
  }
  return ticks * kNsPerTick;
}

std::uint64_t boottimeNs() {
  static const Query precise =
      reinterpret_cast<Query>(lookUp(L"kernelbase.dll", "QueryInterruptTimePrecise"));
  if (precise == nullptr) return GetTickCount64() * kNsPerMs;
  ULONGLONG ticks = 0;
  precise(&ticks);
  return ticks * kNsPerTick;
}

std::uint64_t wallClockUs() {
  FILETIME now;
  GetSystemTimePreciseAsFileTime(&now);
  const std::uint64_t ticks =
      (static_cast<std::uint64_t>(now.dwHighDateTime) << 32) | now.dwLowDateTime;
  return (ticks - kTicksUntil1970) / kTicksPerUs;
}

// The boot is named by the moment at which its kernel started. The kernel moves that moment along
// whenever the clock is set, so that it stays interrupt time before now, and sums the moves up in
// the bias: without the bias it is the moment that the hardware's clock showed at the boot, and
// constant for as long as this kernel, and with it interrupt time, goes on. That includes sleep,
// hibernation, and the "fast start" of Windows, which resumes a hibernated kernel.
//
// Others that look like it: SystemBootEnvironmentInformation names the loader's entry and may stay
// the same over boots. PrefetchParameters\BootId in the registry is the prefetcher's, who writes it
// some time after the boot, or never when switched off. The counter that it copies starts anew
// with every installation, and is to be had from a fixed address only.
//
// Two boots on a machine whose clock starts at the same second each time look alike. Two names for
// one boot would be worse: then a living holder may be taken for dead. So no token rests on it
// (hostClock).
BootIdentity bootIdentity() {
  const auto query =
      reinterpret_cast<QuerySystem>(lookUp(L"ntdll.dll", "NtQuerySystemInformation"));
  TimeOfDay time = {};
  ULONG size = 0;
  if (query == nullptr || query(kSystemTimeOfDay, &time, sizeof time, &size) < 0) return {};
  // Without the bias the moment means nothing.
  if (size < sizeof time || time.bootTime.QuadPart == 0) return {};
  return {std::to_string(time.bootTime.QuadPart - time.bootTimeBias), "", false};
}

}  // namespace holdfast::os
