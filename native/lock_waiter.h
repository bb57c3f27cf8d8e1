// LockWaiter: one thread that waits in the kernel for one lock, and how to get it out.
//
// The lock may be a file lock, the guard of a lease (the transaction then runs on this thread, with
// its syncs), or that of a lease's record, whose holder's end is waited for.
//
// The thread is our own. A waiter in libuv's pool would, four times over, stop every fs and dns
// call of the program. It is joined some time after its result was taken, or when the JavaScript
// environment (a worker thread, the process) goes away. While it runs, nothing but the waiter's own
// members is shared with it: the lock is granted into a handle of its own and moved out afterwards.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "lock_handle.h"
#include "os.h"
#include "transaction.h"

namespace holdfast {

class LockWaiter {
 public:
  // Called on the waiter's thread, once, when there is a result.
  using Finished = void (*)(LockWaiter* waiter, void* context);

  LockWaiter(const LockRequest& request, const LocalVolumes& volumes);
  // `live` moves here for as long as the transaction runs.
  LockWaiter(TransactionRequest request, LockHandle& live, const LocalVolumes& volumes);
  // Waits for the end of whoever holds the file in `record`, which moves here.
  explicit LockWaiter(LockHandle& record);
  LockWaiter(const LockWaiter&) = delete;
  LockWaiter& operator=(const LockWaiter&) = delete;

  os::Failure start(Finished finished, void* context);

  // Gives the wait up; a file lock that is granted after this is given back at once, without a
  // word. A transaction that has its guard is carried out. True when there is a result already
  // (perhaps a grant: it was faster). False when the thread is on its way out: call again, for a
  // wake-up may be lost (os.h, Interrupt).
  bool cancel();
  // Takes no mutex: the thread tells of its result inside one, and loses the processor right then
  // to whom it told.
  bool hasResult() const { return hasResult_.load(std::memory_order_acquire); }
  bool waitFinished(std::uint64_t timeoutNs) { return done_.wait(timeoutNs); }
  // After the result, or after waitFinished(): the thread is gone when this returns.
  void join() { thread_.join(); }
  // For a thread that the kernel does not let go (a dead network server). It will find its own way
  // out, give back what it was granted, and tell nobody.
  void detach();

  // The result; read it when there is one. The thread does not touch it any more.
  Outcome outcome() const { return outcome_; }
  Verdict verdict() const { return verdict_; }
  const Transaction* transaction() const { return transaction_ ? &*transaction_ : nullptr; }
  LockHandle& handle() { return handle_; }
  const LockRequest& request() const { return request_; }

  // Owners: the environment, the thread, and the handle that it is to fill.
  void retain() { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop();

  // Links of Environment's list of running waiters, and what JavaScript gave it to keep.
  LockWaiter* next = nullptr;
  LockWaiter* before = nullptr;
  void* attachment = nullptr;
  bool keepsAlive = false;

 private:
  ~LockWaiter() = default;
  static void run(void* self);
  Outcome work();
  void finish(Outcome outcome);

  LockHandle handle_;
  std::optional<Transaction> transaction_;
  bool awaitsHolder_ = false;
  Verdict verdict_ = Verdict::cancelled;
  std::string path_;
  std::string text_;
  LockRequest request_;
  LocalVolumes volumes_;
  os::Interrupt interrupt_;
  os::Thread thread_;
  os::Event done_;
  Finished finished_ = nullptr;
  void* context_ = nullptr;
  std::atomic<int> references_{1};

  Outcome outcome_ = Outcome::cancelled;
  std::atomic<bool> hasResult_{false};  // when it is true, all of the result is there

  std::mutex mutex_;  // guards what follows, and a result that comes against a cancel
  bool cancelled_ = false;
  bool detached_ = false;
};

// Waits on a thread of its own while the calling thread blocks, at most `limitMs`, and no longer
// than `wanted` says so, which is asked every few milliseconds. The answer is Outcome::cancelled
// when the wait ended without the lock.
Outcome waitHere(const LockRequest& request, const LocalVolumes& volumes, double limitMs,
                 bool (*wanted)(void*), void* context, LockHandle& handle);

// How often a cancelled waiter is asked again to leave, where a wake-up may have been lost.
constexpr std::uint64_t kCancelRepeatNs = 1'000'000;

}  // namespace holdfast
