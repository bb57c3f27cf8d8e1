#include "holder.h"

#include <sched.h>

#include "lock_waiter.h"

namespace torture {

using holdfast::LockHandle;
using holdfast::LockRequest;
using holdfast::Outcome;

void Holder::work() {
  for (;;) {
    const int name = static_cast<int>(below(oracle::kNames));
    if (name < oracle::kFiles)
      fileTurn(name);
    else
      leaseTurn(name);
    me_.doing.store(static_cast<std::uint64_t>(oracle::Doing::nothing));
    if (below(8) == 0) dawdle();
  }
}

void Holder::beginAsking() {
  me_.since.store(oracle::now());
  me_.doing.store(static_cast<std::uint64_t>(oracle::Doing::asking));
}

void Holder::beInside() {
  me_.doing.store(static_cast<std::uint64_t>(oracle::Doing::inside));
  dawdle();
}

// So that others come in between, wherever that is.
void Holder::dawdle() {
  const std::uint32_t dice = below(16);
  if (dice < 4) ::sched_yield();
  if (dice == 15) os::sleepNs(below(300'000));
}

void Holder::failed(int name, const char* call) {
  oracle_.fault(oracle_.book().failures, call, name, token_);
}

void Holder::fileTurn(int name) {
  const std::string path = folder_ + "/files/" + std::to_string(name) + ".lock";
  LockRequest request;
  request.path = path.c_str();
  request.text = templates_.holder.data();
  request.textSize = templates_.holder.size();
  request.flags = LockRequest::sidecar | LockRequest::local;
  const bool shared = below(10) == 0;
  if (shared) request.flags |= LockRequest::shared;

  LockHandle handle;
  token_ = 0;
  beginAsking();
  const Outcome outcome = askForFile(request, handle);
  if (outcome == Outcome::cancelled) oracle_.book().timeouts.fetch_add(1);
  if (outcome == Outcome::failed) failed(name, handle.failure().call);
  if (!isGrant(outcome)) return;
  oracle_.waited(me_.since.load());
  oracle_.enter(stay_, name, 0, shared);
  beInside();
  bool named = false;
  if (handle.stillNamed(request.path, named) || !named) failed(name, "stillNamed");
  oracle_.leave(stay_);
  me_.doing.store(static_cast<std::uint64_t>(oracle::Doing::releasing));
  // A clean-up that is none: those who wait for this inode must not be content with it.
  if (!shared && below(32) == 0) os::removeFile(request.path);
  handle.release();
}

// As tryLock() does it, as lock(), and as lockSync() with a limit.
Outcome Holder::askForFile(const LockRequest& request, LockHandle& handle) {
  const std::uint32_t how = below(4);
  if (how == 0) {
    const double limitMs = below(30);
    return waitHere(request, volumes_, limitMs, [](void*) { return true; }, nullptr, handle);
  }
  const Outcome outcome = handle.acquire(request, volumes_, how == 1 ? nullptr : &interrupt_);
  return outcome == Outcome::granted ? handle.enter(request) : outcome;
}

}  // namespace torture
