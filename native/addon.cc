// The exports: argument checks and nothing else. No system call is made here.
//
// Errors of the system are values (Outcome::failed, then `failureOf`), because the hot path makes
// no objects; src/native.ts turns them into typed errors. Only misuse throws, and only native.ts
// can commit it. Handles are External values, never numbers: a descriptor cannot leak into code
// that might close it (docs/adr/0005-handle-not-descriptor.md). They are made once and used again,
// because a finalizer costs more than the lock.
#include <napi.h>

#include <cstring>

#include "environment.h"
#include "exclusive_file.h"
#include "sidecar.h"

namespace holdfast {
namespace {

// A string argument on the stack, in the heap only when it is long.
class Utf8 {
 public:
  explicit Utf8(const Napi::CallbackInfo& info, std::size_t index) {
    const napi_env env = info.Env();
    const napi_value value = info[index];
    if (napi_get_value_string_utf8(env, value, buffer_, sizeof buffer_, &size_) != napi_ok) return;
    if (size_ < sizeof buffer_ - 1) {
      valid_ = true;
      return;
    }
    std::size_t whole = 0;
    napi_get_value_string_utf8(env, value, nullptr, 0, &whole);
    long_.resize(whole + 1);
    napi_get_value_string_utf8(env, value, long_.data(), whole + 1, &size_);
    text_ = long_.data();
    valid_ = true;
  }
  Utf8(const Utf8&) = delete;
  Utf8& operator=(const Utf8&) = delete;

  // A NUL would cut the path short, and another file would be locked.
  bool isPath() const { return valid_ && size_ > 0 && std::memchr(text_, 0, size_) == nullptr; }
  bool valid() const { return valid_; }
  const char* text() const { return text_; }
  std::size_t size() const { return size_; }

 private:
  char buffer_[1024];
  std::string long_;
  const char* text_ = buffer_;
  std::size_t size_ = 0;
  bool valid_ = false;
};

Environment& environmentOf(const Napi::CallbackInfo& info) {
  return *info.Env().GetInstanceData<Environment>();
}

template <typename Item>
Item* externalAt(const Napi::CallbackInfo& info, std::size_t index) {
  void* data = nullptr;
  if (napi_get_value_external(info.Env(), info[index], &data) != napi_ok) return nullptr;
  return static_cast<Item*>(data);
}

std::uint32_t uint32At(const Napi::CallbackInfo& info, std::size_t index) {
  std::uint32_t value = 0;
  napi_get_value_uint32(info.Env(), info[index], &value);
  return value;
}

int int32At(const Napi::CallbackInfo& info, std::size_t index) {
  std::int32_t value = -1;
  napi_get_value_int32(info.Env(), info[index], &value);
  return value;
}

Napi::Value misuse(const Napi::CallbackInfo& info, const char* message) {
  Napi::TypeError::New(info.Env(), message).ThrowAsJavaScriptException();
  return {};
}

Napi::Value answer(const Napi::CallbackInfo& info, Outcome outcome) {
  return Napi::Number::New(info.Env(), static_cast<double>(outcome));
}

Napi::Object toObject(Napi::Env env, const os::Failure& failure) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("errno", failure.code);
  object.Set("syscall", failure.call);
  return object;
}

// (path, flags, mode, text, …): what is to be locked, and how.
class LockArguments {
 public:
  explicit LockArguments(const Napi::CallbackInfo& info) : path_(info, 0), text_(info, 3) {
    request.path = path_.text();
    request.flags = uint32At(info, 1);
    request.mode = int32At(info, 2);
    request.text = text_.text();
    request.textSize = text_.size();
    valid = path_.isPath() && text_.valid();
  }
  LockRequest request;
  bool valid = false;

 private:
  Utf8 path_;
  Utf8 text_;
};

constexpr char kLockArguments[] = "expected (path, flags, mode, text, ...)";

// A handle that holds nothing yet.
LockHandle* freeHandleAt(const Napi::CallbackInfo& info, std::size_t index) {
  auto* handle = externalAt<LockHandle>(info, index);
  return handle != nullptr && !handle->held() ? handle : nullptr;
}

Napi::Value createHandle(const Napi::CallbackInfo& info) {
  return Napi::External<LockHandle>::New(info.Env(), new LockHandle,
                                         [](Napi::BasicEnv, LockHandle* handle) {
                                           // A lock outlives the object that JavaScript lost.
                                           if (handle->held()) {
                                             handle->orphaned = true;
                                           } else {
                                             delete handle;
                                           }
                                         });
}

// (path, flags, mode, text, handle): one attempt, on this thread.
Napi::Value tryAcquire(const Napi::CallbackInfo& info) {
  const LockArguments arguments(info);
  LockHandle* handle = freeHandleAt(info, 4);
  if (!arguments.valid || handle == nullptr) return misuse(info, kLockArguments);
  Environment& environment = environmentOf(info);
  const Outcome outcome = handle->acquire(arguments.request, environment.volumes(), nullptr);
  if (isGrant(outcome)) environment.addHeld(handle);
  return answer(info, outcome);
}

// (path, flags, mode, text, handle, timeoutMs): blocks this thread.
Napi::Value acquireSync(const Napi::CallbackInfo& info) {
  const LockArguments arguments(info);
  LockHandle* handle = freeHandleAt(info, 4);
  if (!arguments.valid || handle == nullptr || !info[5].IsNumber()) {
    return misuse(info, kLockArguments);
  }
  Environment& environment = environmentOf(info);
  Outcome outcome = handle->acquire(arguments.request, environment.volumes(), nullptr);
  if (outcome == Outcome::busy &&
      environment.excludesItself(handle->id(), arguments.request.has(LockRequest::shared))) {
    outcome = Outcome::deadlock;
  }
  if (outcome == Outcome::busy) {
    outcome = waitHere(arguments.request, environment.volumes(),
                       info[5].As<Napi::Number>().DoubleValue(), *handle);
  }
  if (isGrant(outcome)) environment.addHeld(handle);
  return answer(info, outcome);
}

// Runs on the JavaScript thread when a waiter has its result. The callback takes no arguments: the
// program asks with `collect`, and may have forgotten the wait meanwhile.
void deliver(napi_env env, LockWaiter* waiter) {
  if (env == nullptr) return;  // the environment's clean-up hook has taken care of it
  const Napi::HandleScope scope(env);
  Napi::Env(env).GetInstanceData<Environment>()->finishWait(waiter);
  const auto reference = static_cast<napi_ref>(waiter->attachment);
  napi_value callback = nullptr;
  napi_get_reference_value(env, reference, &callback);
  napi_delete_reference(env, reference);
  waiter->drop();
  Napi::Function(env, callback).Call({});
}

// (path, flags, mode, text, callback): a waiter; an object of another kind when no thread is to be
// had.
Napi::Value startWait(const Napi::CallbackInfo& info) {
  const LockArguments arguments(info);
  if (!arguments.valid || !info[4].IsFunction()) return misuse(info, kLockArguments);
  const Napi::Env env = info.Env();
  Environment& environment = environmentOf(info);
  auto* waiter = new LockWaiter(arguments.request, environment.volumes());
  napi_ref callback = nullptr;
  napi_create_reference(env, info[4], 1, &callback);
  waiter->attachment = callback;
  if (const os::Failure failure = environment.startWait(waiter)) {
    napi_delete_reference(env, callback);
    waiter->drop();
    return toObject(env, failure);
  }
  waiter->retain();
  return Napi::External<LockWaiter>::New(
      env, waiter, [](Napi::BasicEnv, LockWaiter* collected) { collected->drop(); });
}

// (waiter): true when it has a result, false when it has to be asked again.
Napi::Value cancelWait(const Napi::CallbackInfo& info) {
  auto* waiter = externalAt<LockWaiter>(info, 0);
  if (waiter == nullptr) return misuse(info, "expected (waiter)");
  const bool hasResult = waiter->cancel();
  if (!hasResult) environmentOf(info).forget(waiter);
  return Napi::Boolean::New(info.Env(), hasResult);
}

// (waiter, free handle): the outcome; what was granted is in the handle. Only after the callback.
Napi::Value collect(const Napi::CallbackInfo& info) {
  auto* waiter = externalAt<LockWaiter>(info, 0);
  LockHandle* handle = freeHandleAt(info, 1);
  if (waiter == nullptr || handle == nullptr) return misuse(info, "expected (waiter, handle)");
  handle->takeFrom(waiter->handle());
  if (handle->held()) environmentOf(info).addHeld(handle);
  return answer(info, waiter->outcome());
}

Napi::Value release(const Napi::CallbackInfo& info) {
  auto* handle = externalAt<LockHandle>(info, 0);
  if (handle == nullptr) return misuse(info, "expected (handle)");
  if (handle->held()) {
    environmentOf(info).removeHeld(handle);
    handle->release();
  }
  return {};
}

// (handle): what the last attempt with it failed with.
Napi::Value failureOf(const Napi::CallbackInfo& info) {
  auto* handle = externalAt<LockHandle>(info, 0);
  if (handle == nullptr) return misuse(info, "expected (handle)");
  return toObject(info.Env(), handle->failure());
}

// (handle): the text of a holder that died without signing out, or "".
Napi::Value previousOf(const Napi::CallbackInfo& info) {
  auto* handle = externalAt<LockHandle>(info, 0);
  if (handle == nullptr) return misuse(info, "expected (handle)");
  return Napi::String::New(info.Env(), handle->previous());
}

// (handle, path): does the path still name the locked file? An object when it cannot be told.
Napi::Value stillNamed(const Napi::CallbackInfo& info) {
  auto* handle = externalAt<LockHandle>(info, 0);
  const Utf8 path(info, 1);
  if (handle == nullptr || !path.isPath()) return misuse(info, "expected (handle, path)");
  bool named = false;
  if (const os::Failure failure = handle->stillNamed(path.text(), named)) {
    return toObject(info.Env(), failure);
  }
  return Napi::Boolean::New(info.Env(), named);
}

// (path): the text of the holder that the sidecar at `path` names, or undefined. Locks nothing.
Napi::Value readSidecar(const Napi::CallbackInfo& info) {
  const Utf8 path(info, 0);
  if (!path.isPath()) return misuse(info, "expected (path)");
  const sidecar::Contents contents = sidecar::readAt(path.text());
  if (!contents.held) return info.Env().Undefined();
  return Napi::String::New(info.Env(), contents.text);
}

// (path): the target of a symbolic link; undefined when it is none. An object for a failure.
Napi::Value readLink(const Napi::CallbackInfo& info) {
  const Utf8 path(info, 0);
  if (!path.isPath()) return misuse(info, "expected (path)");
  std::string target;
  bool found = false;
  if (const os::Failure failure = os::readLink(path.text(), target, found)) {
    return toObject(info.Env(), failure);
  }
  return found ? Napi::String::New(info.Env(), target) : info.Env().Undefined();
}

// (path, bytes, durable, mode): undefined, or an object for a failure.
Napi::Value createExclusive(const Napi::CallbackInfo& info) {
  const Utf8 path(info, 0);
  if (!path.isPath() || !info[1].IsTypedArray() || !info[2].IsBoolean()) {
    return misuse(info, "expected (path, Uint8Array, durable, mode)");
  }
  const auto bytes = info[1].As<Napi::Uint8Array>();
  const os::Failure failure = createExclusiveFile(path.text(), bytes.Data(), bytes.ByteLength(),
                                                  info[2].As<Napi::Boolean>(), int32At(info, 3));
  return failure ? toObject(info.Env(), failure) : info.Env().Undefined();
}

// (pid): milliseconds since 1970, or undefined.
Napi::Value processStart(const Napi::CallbackInfo& info) {
  double epochMs = 0;
  if (!os::processStart(int32At(info, 0), epochMs)) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), epochMs);
}

// (path): { type, source, magic, remote }, or { errno, syscall } for a failure.
Napi::Value fsInfo(const Napi::CallbackInfo& info) {
  const Utf8 path(info, 0);
  if (!path.isPath()) return misuse(info, "expected (path)");
  os::FilesystemInfo filesystem;
  if (const os::Failure failure = os::filesystemOf(path.text(), filesystem)) {
    return toObject(info.Env(), failure);
  }
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("type", filesystem.type);
  object.Set("source", filesystem.source);
  object.Set("magic", static_cast<double>(filesystem.magic));
  object.Set("remote", filesystem.remote);
  return object;
}

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
void provide(Napi::Object& exports, const char* name) {
  exports.Set(name, Napi::Function::New<function>(exports.Env(), name));
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  Environment* environment = Environment::create(env, deliver);
  if (environment == nullptr) {
    Napi::Error::New(env, "holdfast: Node-API refused a thread-safe function")
        .ThrowAsJavaScriptException();
    return exports;
  }
  // The clean-up hook deletes it, before anything that Node-API would run on instance data.
  napi_set_instance_data(env, environment, nullptr, nullptr);
  provide<createHandle>(exports, "createHandle");
  provide<tryAcquire>(exports, "tryAcquire");
  provide<acquireSync>(exports, "acquireSync");
  provide<startWait>(exports, "startWait");
  provide<cancelWait>(exports, "cancelWait");
  provide<collect>(exports, "collect");
  provide<release>(exports, "release");
  provide<failureOf>(exports, "failureOf");
  provide<previousOf>(exports, "previousOf");
  provide<stillNamed>(exports, "stillNamed");
  provide<readSidecar>(exports, "readSidecar");
  provide<readLink>(exports, "readLink");
  provide<createExclusive>(exports, "createExclusive");
  provide<processStart>(exports, "processStart");
  provide<fsInfo>(exports, "fsInfo");
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, init)

}  // namespace holdfast
