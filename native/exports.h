// The functions that the addon exports; addon.cc gives them their names.
#pragma once

#include "lock_waiter.h"
#include "values.h"

namespace holdfast {

// lock_exports.cc
napi_value createHandle(const Call& call);
napi_value tryAcquire(const Call& call);
napi_value acquireSync(const Call& call);
napi_value startWait(const Call& call);
napi_value cancelWait(const Call& call);
napi_value collect(const Call& call);
napi_value release(const Call& call);
napi_value failureOf(const Call& call);
napi_value previousOf(const Call& call);
napi_value stillNamed(const Call& call);
void deliver(napi_env env, LockWaiter* waiter);

// file_exports.cc
napi_value identify(const Call& call);
napi_value readSidecar(const Call& call);
napi_value readLink(const Call& call);
napi_value createExclusive(const Call& call);
napi_value processStart(const Call& call);
napi_value fsInfo(const Call& call);

}  // namespace holdfast
