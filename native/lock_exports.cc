// Locks, as JavaScript asks for them.
//
// Errors of the system are values (Outcome::failed, then `failureOf`), because the hot path makes
// no objects; src/native.ts turns them into typed errors. Only misuse throws, and only native.ts
// can commit it. Handles are External values, never numbers: a descriptor cannot leak into code
// that might close it (docs/adr/0005-handle-not-descriptor.md; descriptorOf is the exception). They
// are made once and used again, because a finalizer costs more than the lock.
#include "exports.h"
#include "waits.h"

namespace holdfast {
namespace {

// (path, flags, mode, text, …): what is to be locked, and how.
class LockArguments {
 public:
  explicit LockArguments(const Call& call) : path_(call, 0), text_(call, 3) {
    request.path = path_.text();
    request.text = text_.text();
    request.textSize = text_.size();
    valid = path_.isPath() && call.uint32At(1, request.flags) && call.int32At(2, request.mode) &&
            text_.valid();
  }
  LockRequest request;
  bool valid = false;

 private:
  Utf8 path_;
  Utf8 text_;
};

constexpr char kLockArguments[] = "expected (path, flags, mode, text, ...)";

// Whether the environment still runs JavaScript. A thread that is being terminated cannot say so
// while it blocks in here, but it refuses calls that could run some.
class Probe {
 public:
  explicit Probe(const Call& call) : env_(call.env()) { napi_create_object(env_, &object_); }
  static bool wanted(void* self) {
    const auto* probe = static_cast<Probe*>(self);
    bool found = false;
    return napi_has_named_property(probe->env_, probe->object_, "x", &found) == napi_ok;
  }

 private:
  napi_env env_;
  napi_value object_ = nullptr;
};

// The object is collected. A lock outlives the object that JavaScript lost.
void disposeHandle(LockHandle* handle) {
  if (handle->waiter != nullptr) handle->waiter->drop();
  if (handle->held()) {
    handle->orphaned = true;
  } else {
    delete handle;
  }
}

// A handle whose wait has a result.
LockHandle* finishedHandleAt(const Call& call, std::size_t index) {
  auto* handle = call.externalAt<LockHandle>(index);
  const bool finished =
      handle != nullptr && handle->waiter != nullptr && handle->waiter->hasResult();
  return finished ? handle : nullptr;
}

}  // namespace

napi_value createHandle(const Call& call) { return call.wrap(new LockHandle, disposeHandle); }

// (path, flags, mode, text, handle): one attempt, on this thread.
napi_value tryAcquire(const Call& call) {
  const LockArguments arguments(call);
  LockHandle* handle = freeHandleAt(call, 4);
  if (!arguments.valid || handle == nullptr) return call.misuse(kLockArguments);
  Environment& environment = environmentOf(call);
  Outcome outcome = handle->acquire(arguments.request, environment.volumes(), nullptr);
  if (outcome == Outcome::granted) {
    outcome = handle->enter(arguments.request);
    environment.addHeld(handle);
  }
  return answer(call, outcome);
}

// (path, flags, mode, text, handle, timeoutMs): blocks this thread.
napi_value acquireSync(const Call& call) {
  const LockArguments arguments(call);
  LockHandle* handle = freeHandleAt(call, 4);
  double timeoutMs = 0;
  if (!arguments.valid || handle == nullptr || !call.numberAt(5, timeoutMs) || !(timeoutMs >= 0)) {
    return call.misuse(kLockArguments);
  }
  Environment& environment = environmentOf(call);
  Outcome outcome = handle->acquire(arguments.request, environment.volumes(), nullptr);
  if (outcome == Outcome::granted) outcome = handle->enter(arguments.request);
  if (outcome == Outcome::busy &&
      environment.excludesItself(handle->id(), arguments.request.has(LockRequest::shared))) {
    outcome = Outcome::deadlock;
  }
  if (outcome == Outcome::busy) {
    Probe probe(call);
    outcome = waitHere(arguments.request, environment.volumes(), timeoutMs, Probe::wanted, &probe,
                       *handle);
  }
  if (isGrant(outcome)) environment.addHeld(handle);
  return answer(call, outcome);
}

// (path, flags, mode, text, handle, callback): { errno, syscall } when no thread is to be had.
napi_value startWait(const Call& call) {
  const LockArguments arguments(call);
  LockHandle* handle = freeHandleAt(call, 4);
  if (!arguments.valid || handle == nullptr || !call.isFunctionAt(5)) {
    return call.misuse(kLockArguments);
  }
  auto* waiter = new LockWaiter(arguments.request, environmentOf(call).volumes());
  return begin(call, waiter, handle, call.at(5));
}

// (handle): true when its wait has a result, false when it has to be asked again.
napi_value cancelWait(const Call& call) {
  auto* handle = call.externalAt<LockHandle>(0);
  if (handle == nullptr) return call.misuse("expected (handle)");
  if (handle->waiter == nullptr) return call.boolean(true);
  const bool hasResult = handle->waiter->cancel();
  if (!hasResult) environmentOf(call).forget(handle->waiter);
  return call.boolean(hasResult);
}

// (handle): does its wait have a result?
napi_value hasResult(const Call& call) {
  auto* handle = call.externalAt<LockHandle>(0);
  if (handle == nullptr) return call.misuse("expected (handle)");
  return call.boolean(handle->waiter == nullptr || handle->waiter->hasResult());
}

// (handle): how its wait ended; what was granted is in the handle now. Only when it has a result.
napi_value collect(const Call& call) {
  LockHandle* handle = finishedHandleAt(call, 0);
  if (handle == nullptr) return call.misuse("expected (handle), and a wait that has a result");
  LockWaiter* waiter = handle->waiter;
  Outcome outcome = waiter->outcome();
  handle->takeFrom(waiter->handle());
  handle->waiter = nullptr;
  if (handle->held()) {
    outcome = handle->enter(waiter->request());
    environmentOf(call).addHeld(handle);
  }
  waiter->drop();
  return answer(call, outcome);
}

// (handle): the same, for a result that nobody wants; or for the record that a look opened.
napi_value discard(const Call& call) {
  if (LockHandle* opened = freeHandleAt(call, 0)) {
    opened->abandon();
    return nullptr;
  }
  LockHandle* handle = finishedHandleAt(call, 0);
  if (handle == nullptr) return call.misuse("expected (handle), and a wait that has a result");
  LockWaiter* waiter = handle->waiter;
  handle->waiter = nullptr;
  waiter->handle().abandon();
  waiter->drop();
  return nullptr;
}

// (handle)
napi_value release(const Call& call) {
  auto* handle = call.externalAt<LockHandle>(0);
  if (handle == nullptr) return call.misuse("expected (handle)");
  if (handle->held()) environmentOf(call).removeHeld(handle);
  handle->release();
  return nullptr;
}

// (handle): what the last attempt with it failed with.
napi_value failureOf(const Call& call) {
  auto* handle = call.externalAt<LockHandle>(0);
  if (handle == nullptr) return call.misuse("expected (handle)");
  return call.failure(handle->failure());
}

// (handle): the text of a holder that died without signing out, or "".
napi_value previousOf(const Call& call) {
  auto* handle = call.externalAt<LockHandle>(0);
  if (handle == nullptr) return call.misuse("expected (handle)");
  return call.string(handle->previous());
}

// (handle, path): does the path still name the locked file? { errno, syscall } when unknown.
napi_value stillNamed(const Call& call) {
  auto* handle = call.externalAt<LockHandle>(0);
  const Utf8 path(call, 1);
  if (handle == nullptr || !path.isPath()) return call.misuse("expected (handle, path)");
  bool named = false;
  if (const os::Failure failure = handle->stillNamed(path.text(), named)) {
    return call.failure(failure);
  }
  return call.boolean(named);
}

// (handle): the number of its locked file, for a child to inherit; undefined where there is none.
// The one number that crosses (docs/adr/0014-liveness-descriptor.md).
napi_value descriptorOf(const Call& call) {
  auto* handle = call.externalAt<LockHandle>(0);
  if (handle == nullptr) return call.misuse("expected (handle)");
  const int descriptor = handle->held() ? handle->file().descriptor() : -1;
  return descriptor == -1 ? nullptr : call.number(descriptor);
}

}  // namespace holdfast
