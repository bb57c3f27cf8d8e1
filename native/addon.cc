// The addon's entry: one Environment for each JavaScript environment, and the names of the exports.
#include <napi.h>

#include "environment.h"
#include "exports.h"

namespace holdfast {
namespace {

template <napi_value (*function)(const Call&)>
napi_property_descriptor method(const char* name) {
  const auto call = [](napi_env env, napi_callback_info info) -> napi_value {
    return function(Call(env, info));
  };
  return {name, nullptr, call, nullptr, nullptr, nullptr, napi_enumerable, nullptr};
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  Environment* environment = Environment::create(env, deliver);
  if (environment == nullptr) {
    napi_throw_error(env, nullptr, "holdfast: Node-API refused a thread-safe function");
    return exports;
  }
  // No finalizer: the clean-up hook deletes it.
  napi_set_instance_data(env, environment, nullptr, nullptr);
  const napi_property_descriptor methods[] = {
      method<createHandle>("createHandle"),
      method<tryAcquire>("tryAcquire"),
      method<acquireSync>("acquireSync"),
      method<startWait>("startWait"),
      method<cancelWait>("cancelWait"),
      method<hasResult>("hasResult"),
      method<collect>("collect"),
      method<discard>("discard"),
      method<release>("release"),
      method<failureOf>("failureOf"),
      method<previousOf>("previousOf"),
      method<stillNamed>("stillNamed"),
      method<descriptorOf>("descriptorOf"),
      method<transact>("transact"),
      method<startTransact>("startTransact"),
      method<collectTransact>("collectTransact"),
      method<startRecordWait>("startRecordWait"),
      method<glance>("glance"),
      method<bootClock>("bootClock"),
      method<bootIdentity>("bootIdentity"),
      method<identify>("identify"),
      method<readSidecar>("readSidecar"),
      method<readLink>("readLink"),
      method<createExclusive>("createExclusive"),
      method<processStart>("processStart"),
      method<dieWithUs>("dieWithUs"),
      method<outliveUs>("outliveUs"),
      method<fsInfo>("fsInfo"),
  };
  napi_define_properties(env, exports, sizeof methods / sizeof *methods, methods);
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, init)

}  // namespace holdfast
