#include "environment.h"

namespace holdfast {
namespace {

// How long a dying environment waits for a thread that does not leave its system call. Local
// filesystems let go within microseconds; a dead network server may never.
constexpr std::uint64_t kPatience = 2'000'000'000;

bool leaves(LockWaiter* waiter, std::uint64_t deadline) {
  do {
    waiter->cancel();
    if (waiter->waitFinished(kCancelRepeatNs)) return true;
  } while (os::monotonicNs() < deadline);
  return false;
}

}  // namespace

Environment* Environment::create(napi_env env, Deliver deliver) {
  auto* self = new Environment(env);
  napi_value name;
  napi_create_string_utf8(env, "holdfast.wait", NAPI_AUTO_LENGTH, &name);
  const auto dispatch = [](napi_env calling, napi_value, void* context, void* waiter) {
    reinterpret_cast<Deliver>(context)(calling, static_cast<LockWaiter*>(waiter));
  };
  // Hooks run last in, first out. The thread-safe function registers one of its own when it is
  // created; ours comes later and so runs earlier, while waiters may still call the function.
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr,
                                      reinterpret_cast<void*>(deliver), dispatch,
                                      &self->wake_) != napi_ok ||
      napi_unref_threadsafe_function(env, self->wake_) != napi_ok ||
      napi_add_env_cleanup_hook(env, close, self) != napi_ok) {
    delete self;
    return nullptr;
  }
  return self;
}

bool Environment::excludesItself(const os::FileId& file, bool shared) const {
  for (const LockHandle* handle = held_.first(); handle != nullptr; handle = handle->next) {
    if (handle->id() == file && !(shared && handle->shared())) return true;
  }
  return false;
}

void Environment::post(LockWaiter* waiter, void* self) {
  napi_call_threadsafe_function(static_cast<Environment*>(self)->wake_, waiter,
                                napi_tsfn_nonblocking);
}

os::Failure Environment::startWait(LockWaiter* waiter) {
  if (const os::Failure failure = waiter->start(post, this)) return failure;
  waiters_.add(waiter);
  waiter->keepsAlive = true;
  if (pending_++ == 0) napi_ref_threadsafe_function(env_, wake_);
  return {};
}

void Environment::forget(LockWaiter* waiter) {
  if (!waiter->keepsAlive) return;
  waiter->keepsAlive = false;
  if (--pending_ == 0) napi_unref_threadsafe_function(env_, wake_);
}

void Environment::finishWait(LockWaiter* waiter) {
  forget(waiter);
  waiters_.remove(waiter);
  joinLeaving();
  waiter->retain();
  leaving_ = waiter;
}

void Environment::joinLeaving() {
  if (leaving_ == nullptr) return;
  leaving_->join();
  leaving_->drop();
  leaving_ = nullptr;
}

void Environment::close(void* raw) {
  auto* self = static_cast<Environment*>(raw);
  // All at once, then one after the other: a thousand waiters leave as fast as one.
  for (LockWaiter* waiter = self->waiters_.first(); waiter != nullptr; waiter = waiter->next) {
    waiter->cancel();
  }
  self->joinLeaving();
  const std::uint64_t deadline = os::monotonicNs() + kPatience;
  while (LockWaiter* waiter = self->waiters_.takeFirst()) {
    napi_delete_reference(self->env_, static_cast<napi_ref>(waiter->attachment));
    if (leaves(waiter, deadline)) {
      waiter->join();
      waiter->handle().abandon();  // granted before the cancel, never delivered
    } else {
      waiter->detach();
    }
    waiter->drop();
  }
  while (LockHandle* handle = self->held_.takeFirst()) {
    handle->abandon();
    if (handle->orphaned) delete handle;
  }
  napi_release_threadsafe_function(self->wake_, napi_tsfn_abort);
  delete self;
}

}  // namespace holdfast
