#include "lock_waiter.h"

#include <algorithm>
#include <utility>

namespace holdfast {

LockWaiter::LockWaiter(const LockRequest& request, const LocalVolumes& volumes)
    : path_(request.path),
      text_(request.text, request.textSize),
      request_(request),
      volumes_(volumes) {
  request_.path = path_.c_str();
  request_.text = text_.data();
}

LockWaiter::LockWaiter(TransactionRequest request, LockHandle& live, const LocalVolumes& volumes)
    : transaction_(std::move(request)), volumes_(volumes) {
  handle_.takeFrom(live);
}

LockWaiter::LockWaiter(LockHandle& record) : awaitsHolder_(true) { handle_.takeFrom(record); }

os::Failure LockWaiter::start(Finished finished, void* context) {
  finished_ = finished;
  context_ = context;
  retain();
  const os::Failure failure = thread_.start(run, this);
  if (failure) drop();
  return failure;
}

void LockWaiter::run(void* self) {
  auto* waiter = static_cast<LockWaiter*>(self);
  waiter->finish(waiter->work());
  // The event loop has been woken, perhaps onto this processor: it would wait for the end of this
  // thread there, which takes longer than the wake-up did.
  if (waiter->finished_ != nullptr) os::yield();
  waiter->drop();
}

Outcome LockWaiter::work() {
  if (awaitsHolder_) return handle_.awaitHolder(interrupt_);
  if (!transaction_) return handle_.acquire(request_, volumes_, &interrupt_);
  verdict_ = transaction_->run(handle_, volumes_, true, &interrupt_);
  return Outcome::cancelled;  // no file lock; the verdict says what came of it
}

void LockWaiter::finish(Outcome outcome) {
  {
    // One critical section: either cancel() came first and the grant goes back here, or the grant
    // came first and cancel() says so. Releasing after the mutex would let a canceller believe
    // that nothing is held while it still is.
    const std::lock_guard<std::mutex> lock(mutex_);
    if (cancelled_ && isGrant(outcome)) {
      handle_.release();
      outcome = Outcome::cancelled;
    }
    outcome_ = outcome;
    hasResult_.store(true, std::memory_order_release);
    if (finished_ != nullptr && !detached_) finished_(this, context_);
  }
  done_.set();
}

bool LockWaiter::cancel() {
  if (hasResult()) return true;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (hasResult()) return true;
  cancelled_ = true;
  interrupt_.request();
  return false;
}

void LockWaiter::detach() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    detached_ = true;
  }
  thread_.detach();
}

void LockWaiter::drop() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

Outcome waitHere(const LockRequest& request, const LocalVolumes& volumes, double limitMs,
                 bool (*wanted)(void*), void* context, LockHandle& handle) {
  constexpr double kForever = 1e12;  // 31 years; the sum with the clock must not overflow
  constexpr std::uint64_t kLook = 20'000'000;
  const std::uint64_t start = os::monotonicNs();
  const auto limit = static_cast<std::uint64_t>(std::min(limitMs, kForever) * 1e6);
  auto* waiter = new LockWaiter(request, volumes);
  if (const os::Failure failure = waiter->start(nullptr, nullptr)) {
    // The analyser does not count references: start() gave back its own, this is ours.
    waiter->drop();  // NOLINT(clang-analyzer-cplusplus.NewDelete)
    return handle.fail(failure);
  }
  bool finished = false;
  for (std::uint64_t spent = 0; !finished && spent < limit && wanted(context);) {
    finished = waiter->waitFinished(std::min(limit - spent, kLook));
    spent = os::monotonicNs() - start;
  }
  while (!finished) finished = waiter->cancel() || waiter->waitFinished(kCancelRepeatNs);
  waiter->join();
  handle.takeFrom(waiter->handle());
  const Outcome outcome = waiter->outcome();
  waiter->drop();
  return outcome == Outcome::granted ? handle.enter(request) : outcome;
}

}  // namespace holdfast
