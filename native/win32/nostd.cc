// The rest of native/nostd.cc that MinGW asks for: where its libstdc++ is linked at all, it brings
// a demangler and an unwinder, some 200 KB. MSVC's library is not touched.
#ifdef __MINGW32__
#include <cstdint>
#include <new>

#include "platform.h"

const std::nothrow_t std::nothrow{};

namespace {

// Recursive, for an initialiser may reach another static. Built before any function of ours runs:
// nothing at file scope calls one that has a static.
struct Lock {
  CRITICAL_SECTION section;
  Lock() { InitializeCriticalSection(&section); }
} initialising;

}  // namespace

// Around the initialiser of a static inside a function; the first byte of the guard says that it
// has run (Itanium C++ ABI, 3.3.3). NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" int __cxa_guard_acquire(std::int64_t* guard) {
  EnterCriticalSection(&initialising.section);
  if (__atomic_load_n(reinterpret_cast<char*>(guard), __ATOMIC_ACQUIRE) == 0) return 1;
  LeaveCriticalSection(&initialising.section);
  return 0;
}

extern "C" void __cxa_guard_release(std::int64_t* guard) {
  __atomic_store_n(reinterpret_cast<char*>(guard), 1, __ATOMIC_RELEASE);
  LeaveCriticalSection(&initialising.section);
}
// NOLINTEND(bugprone-reserved-identifier)
#endif
