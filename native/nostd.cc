// The few C++ run-time functions an addon without exceptions needs, so that
// libstdc++ is not linked at all: no libstdc++.so.6 to find, no static copy
// that raises the glibc floor. Out of memory and broken invariants abort.
//
// Enough for std::string, vector, function, optional, unique_ptr, mutex; also for
// shared_ptr(new T), which raises the glibc floor to 2.32. Not covered, for parts of
// them live in libstdc++: make_shared, thread, condition_variable, iostream, map, set,
// unordered_map. Build with -std=c++20: in C++17 some std::string members are extern
// templates and stay undefined.
#ifndef _MSC_VER
#include <cstdlib>
#include <new>

void* operator new(std::size_t size) {
  void* p = std::malloc(size ? size : 1);
  if (!p) std::abort();
  return p;
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return std::malloc(size ? size : 1);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return std::malloc(size ? size : 1);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

// The names are those that the compiler and the library's headers call.
// NOLINTBEGIN(bugprone-reserved-identifier)
#ifdef _WIN32  // where nothing is visible unless it is exported
#define HIDDEN_ABORT __attribute__((noreturn)) void
#else
#define HIDDEN_ABORT __attribute__((visibility("hidden"), noreturn)) void
#endif

extern "C" HIDDEN_ABORT __cxa_pure_virtual() { std::abort(); }

#ifdef __GLIBCXX__  // only libstdc++'s headers call these
namespace std {
HIDDEN_ABORT __throw_logic_error(const char*) { std::abort(); }
HIDDEN_ABORT __throw_length_error(const char*) { std::abort(); }
HIDDEN_ABORT __throw_out_of_range(const char*) { std::abort(); }
HIDDEN_ABORT __throw_out_of_range_fmt(const char*, ...) { std::abort(); }
HIDDEN_ABORT __throw_invalid_argument(const char*) { std::abort(); }
HIDDEN_ABORT __throw_bad_function_call() { std::abort(); }
HIDDEN_ABORT __throw_bad_alloc() { std::abort(); }
HIDDEN_ABORT __throw_bad_array_new_length() { std::abort(); }
HIDDEN_ABORT __throw_system_error(int) { std::abort(); }
}  // namespace std
#endif
// NOLINTEND(bugprone-reserved-identifier)
#endif
