// What the exported functions share: the caller's environment, its handles, and waits that begin in
// JavaScript and end there.
#pragma once

#include "environment.h"
#include "lock_waiter.h"
#include "values.h"

namespace holdfast {

inline Environment& environmentOf(const Call& call) { return *call.environment<Environment>(); }

inline napi_value answer(const Call& call, Outcome outcome) {
  return call.number(static_cast<double>(outcome));
}

// A handle that waits for nothing; null for anything else.
inline LockHandle* idleHandleAt(const Call& call, std::size_t index) {
  auto* handle = call.externalAt<LockHandle>(index);
  return handle != nullptr && handle->waiter == nullptr ? handle : nullptr;
}

// One that holds nothing, either.
inline LockHandle* freeHandleAt(const Call& call, std::size_t index) {
  LockHandle* handle = idleHandleAt(call, index);
  return handle != nullptr && !handle->held() ? handle : nullptr;
}

// Starts the waiter; `callback` is called, without arguments, when it has a result for `handle`.
// Returns undefined, or { errno, syscall } when no thread is to be had.
napi_value begin(const Call& call, LockWaiter* waiter, LockHandle* handle, napi_value callback);

}  // namespace holdfast
