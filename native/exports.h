// The functions that the addon exports; addon.cc gives them their names. `deliver` (waits.cc) is
// what the environment calls when a wait has a result.
#pragma once

#include "lock_waiter.h"
#include "values.h"

namespace holdfast {

void deliver(napi_env env, LockWaiter* waiter);

// lock_exports.cc
napi_value createHandle(const Call& call);
napi_value tryAcquire(const Call& call);
napi_value acquireSync(const Call& call);
napi_value startWait(const Call& call);
napi_value cancelWait(const Call& call);
napi_value hasResult(const Call& call);
napi_value collect(const Call& call);
napi_value discard(const Call& call);
napi_value release(const Call& call);
napi_value failureOf(const Call& call);
napi_value previousOf(const Call& call);
napi_value stillNamed(const Call& call);
napi_value descriptorOf(const Call& call);

// lease_exports.cc
napi_value transact(const Call& call);
napi_value startTransact(const Call& call);
napi_value collectTransact(const Call& call);
napi_value startRecordWait(const Call& call);
napi_value glance(const Call& call);
napi_value bootClock(const Call& call);
napi_value bootIdentity(const Call& call);

// file_exports.cc
napi_value identify(const Call& call);
napi_value readSidecar(const Call& call);
napi_value readLink(const Call& call);
napi_value createExclusive(const Call& call);
napi_value processStart(const Call& call);
napi_value dieWithUs(const Call& call);
napi_value outliveUs(const Call& call);
napi_value fsInfo(const Call& call);

}  // namespace holdfast
