// Environment: everything that one JavaScript environment (the main thread, or one worker) has
// under way: the locks it holds, the waits it began, the volumes it has judged.
//
// It goes away when the worker is terminated or the process ends, through Node-API's clean-up
// hook. By then no thread of ours may run and no lock may be left behind: without the hook a lock
// stays held after worker.terminate(), for the descriptor leaks.
#pragma once

#include <node_api.h>

#include <cstddef>

#include "lock_handle.h"
#include "lock_waiter.h"

namespace holdfast {

// A list of objects that carry their own links: no allocation on the way to a lock.
template <typename Item>
class LinkedList {
 public:
  Item* first() const { return first_; }
  void add(Item* item) {
    item->before = nullptr;
    item->next = first_;
    if (first_ != nullptr) first_->before = item;
    first_ = item;
  }
  Item* takeFirst() {
    Item* item = first_;
    if (item == nullptr) return nullptr;
    first_ = item->next;
    if (first_ != nullptr) first_->before = nullptr;
    item->next = nullptr;
    return item;
  }
  void remove(Item* item) {
    (item->before != nullptr ? item->before->next : first_) = item->next;
    if (item->next != nullptr) item->next->before = item->before;
    item->next = item->before = nullptr;
  }

 private:
  Item* first_ = nullptr;
};

class Environment {
 public:
  // Called on the JavaScript thread when a waiter has its result; `env` is null when the
  // environment is going away.
  using Deliver = void (*)(napi_env env, LockWaiter* waiter);

  // Null when Node-API refuses; an exception is then pending.
  static Environment* create(napi_env env, Deliver deliver);

  LocalVolumes& volumes() { return volumes_; }

  void addHeld(LockHandle* handle) { held_.add(handle); }
  void removeHeld(LockHandle* handle) { held_.remove(handle); }
  // Would this thread wait for itself? It holds the file in a way that excludes the new lock.
  bool excludesItself(const os::FileId& file, bool shared) const;

  // Starts the wait; deliver() follows. While it is pending the program stays alive.
  os::Failure startWait(LockWaiter* waiter);
  // The caller no longer waits for it: it does not keep the program alive any more.
  void forget(LockWaiter* waiter);
  // The result has arrived: take the waiter out of the list. Its thread has nothing to do any more
  // but to end, and is joined when the next one gets here. Joined at once it would stand between
  // the grant and the program, and it has often just lost the processor to us: milliseconds.
  void finishWait(LockWaiter* waiter);

 private:
  explicit Environment(napi_env env) : env_(env) {}
  static void close(void* self);
  static void post(LockWaiter* waiter, void* self);
  void joinLeaving();

  napi_env env_;
  napi_threadsafe_function wake_ = nullptr;
  LinkedList<LockHandle> held_;
  LinkedList<LockWaiter> waiters_;
  LockWaiter* leaving_ = nullptr;  // its thread ends, and is not joined yet
  std::size_t pending_ = 0;
  LocalVolumes volumes_;
};

}  // namespace holdfast
