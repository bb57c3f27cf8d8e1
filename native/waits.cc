#include "waits.h"

#include "exports.h"

namespace holdfast {

// Runs on the JavaScript thread when a waiter has its result. The callback takes no arguments: the
// program asks with `collect`, and may have forgotten the wait meanwhile.
void deliver(napi_env env, LockWaiter* waiter) {
  if (env == nullptr) return;  // the environment's clean-up hook has taken care of it
  void* environment = nullptr;
  napi_get_instance_data(env, &environment);
  static_cast<Environment*>(environment)->finishWait(waiter);
  const auto reference = static_cast<napi_ref>(waiter->attachment);
  napi_value callback = nullptr;
  napi_get_reference_value(env, reference, &callback);
  napi_delete_reference(env, reference);
  waiter->drop();
  napi_value receiver = nullptr;
  napi_get_undefined(env, &receiver);
  napi_call_function(env, receiver, callback, 0, nullptr, nullptr);
}

napi_value begin(const Call& call, LockWaiter* waiter, LockHandle* handle, napi_value callback) {
  napi_ref reference = nullptr;
  napi_create_reference(call.env(), callback, 1, &reference);
  waiter->attachment = reference;
  waiter->retain();
  if (const os::Failure failure = environmentOf(call).startWait(waiter)) {
    napi_delete_reference(call.env(), reference);
    handle->takeFrom(waiter->handle());
    waiter->drop();
    waiter->drop();
    return call.failure(failure);
  }
  handle->waiter = waiter;
  return nullptr;
}

}  // namespace holdfast
