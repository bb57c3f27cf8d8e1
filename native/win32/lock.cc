// Whole-file locks with LockFileEx, and how a wait for one is given up.
//
// Where. LockFileEx is mandatory: while a byte is locked, nobody else reads or writes it. So the
// lock is on one byte that no file ever has, and the contents stay readable. Offset 2^62 is beyond
// the largest file of NTFS (2^53) and ReFS (2^55), it is positive in signed arithmetic (servers
// map locks to POSIX ones, whose offsets are signed), and it lies inside the range 0..2^64-1 that
// Rust's File::lock and Go's lockedfile lock: they and we exclude each other.
//
// Conversion. Unlike flock(2), a second lock on the same handle does not replace the first: it
// waits for it, for ever. One handle, one lock; nothing above asks for more.
//
// Waiting. The waiter's own thread issues the overlapped request (I/O belongs to the thread that
// began it and is cancelled when that thread ends) and waits for two events, the grant and the
// interrupt. The kernel queues such requests in order of arrival. CancelIoEx may come too late: the
// lock can be granted between the interrupt and the cancellation. Then the request has succeeded
// and CancelIoEx found nothing to cancel. So the result is always collected, and a grant is
// reported as one; whoever interrupted decides what becomes of it. Leaving without collecting would
// keep the lock held by nobody until the file closes, and let the kernel write into a stack frame
// that is gone.
//
// Death. The kernel frees the locks of a dead process when it closes its handles: soon, not at
// once (LockFileEx, remarks).
#include "error.h"
#include "overlapped.h"

namespace holdfast::os {
namespace {

constexpr std::uint64_t kLockOffset = std::uint64_t{1} << 62;
constexpr DWORD kLockedBytes = 1;

DWORD modeOf(bool shared) { return shared ? 0 : LOCKFILE_EXCLUSIVE_LOCK; }

// Wine answers ERROR_IO_PENDING to an overlapped request that has to wait, and forgets it ("Async
// I/O lock wait not implemented, might deadlock", NtLockFile in its ntdll; seen in Wine 8). The
// event is never set, CancelIoEx finds nothing, and the result reads as a grant that never was. On
// Windows a grant that was faster than the cancellation looks the same, so no probe can tell the
// two apart, and Wine is asked by name. There we poll: not first come, first served.
bool forgetsPendingLocks() {
  static const bool wine =
      GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != nullptr;
  return wine;
}

constexpr DWORD kLongestPollMs = 8;

}  // namespace

Interrupt::Interrupt()
    : target_(reinterpret_cast<std::uintptr_t>(CreateEventW(nullptr, TRUE, FALSE, nullptr))) {}

Interrupt::~Interrupt() {
  if (target_ != 0) CloseHandle(asHandle(target_));
}

// The event stays set: a request that comes before the wait begins ends it all the same.
void Interrupt::request() {
  requested_.store(true, std::memory_order_release);
  if (target_ != 0) SetEvent(asHandle(target_));
}

LockResult File::tryLock(bool shared, Failure& failure) {
  Overlapped request(kLockOffset);
  if (!request.ready()) {
    failure = lastFailure("CreateEventW");
    return LockResult::failed;
  }
  const HANDLE file = asHandle(handle_);
  const DWORD mode = modeOf(shared) | LOCKFILE_FAIL_IMMEDIATELY;
  if (LockFileEx(file, mode, 0, kLockedBytes, 0, request.get())) return LockResult::granted;
  // A network redirector may have to ask its server first, and answers ERROR_IO_PENDING.
  DWORD unused = 0;
  const DWORD error = request.finish(file, FALSE, unused);
  if (error == ERROR_SUCCESS) return LockResult::granted;
  if (error == ERROR_LOCK_VIOLATION) return LockResult::busy;
  failure = failureOf(error, "LockFileEx");
  return LockResult::failed;
}

LockResult File::lock(bool shared, Interrupt& interrupt, Failure& failure) {
  const HANDLE cancelled = asHandle(interrupt.target_);
  if (interrupt.requested()) return LockResult::interrupted;
  if (cancelled == nullptr) {
    failure = {ENOMEM, "CreateEventW"};  // in the constructor, which could not tell
    return LockResult::failed;
  }
  if (forgetsPendingLocks()) {
    for (DWORD pause = 1;; pause = pause < kLongestPollMs ? pause * 2 : kLongestPollMs) {
      const LockResult result = tryLock(shared, failure);
      if (result != LockResult::busy) return result;
      if (WaitForSingleObject(cancelled, pause) != WAIT_TIMEOUT) return LockResult::interrupted;
    }
  }

  Overlapped request(kLockOffset);
  if (!request.ready()) {
    failure = lastFailure("CreateEventW");
    return LockResult::failed;
  }
  const HANDLE file = asHandle(handle_);
  if (LockFileEx(file, modeOf(shared), 0, kLockedBytes, 0, request.get())) {
    return LockResult::granted;
  }
  DWORD error = GetLastError();
  if (error == ERROR_IO_PENDING) {
    const HANDLE events[] = {request.event(), cancelled};
    const DWORD woken = WaitForMultipleObjects(2, events, FALSE, INFINITE);
    if (woken != WAIT_OBJECT_0) CancelIoEx(file, request.get());
    DWORD unused = 0;
    error = request.collect(file, unused);
  }
  if (error == ERROR_SUCCESS) return LockResult::granted;
  if (error == ERROR_OPERATION_ABORTED && interrupt.requested()) return LockResult::interrupted;
  failure = failureOf(error, "LockFileEx");
  return LockResult::failed;
}

void File::unlock() {
  OVERLAPPED where = {};  // always answered at once, so there is no event
  where.Offset = static_cast<DWORD>(kLockOffset);
  where.OffsetHigh = static_cast<DWORD>(kLockOffset >> 32);
  UnlockFileEx(asHandle(handle_), 0, kLockedBytes, 0, &where);
}

}  // namespace holdfast::os
