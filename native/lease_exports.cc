// Leases, as JavaScript asks for them: transactions, a glance, and waits for a holder's end.
#include <utility>

#include "exports.h"
#include "record.h"
#include "sight.h"
#include "waits.h"

namespace holdfast {
namespace {

// The number that says what to do: bits of it. src/native.ts has the same layout.
enum Bits : std::uint32_t {
  changeMask = 0x7,
  expectationShift = 3,
  expectationMask = 0x3,
  attach = 1u << 5,
  durable = 1u << 6,
  expectDead = 1u << 7,
  minded = 1u << 8,
  flagsShift = 16,
};

bool optionalBytes(const Call& call, std::size_t index, std::optional<std::string>& out) {
  if (call.isNull(index)) return true;
  void* data = nullptr;
  std::size_t size = 0;
  if (!call.bytesAt(index, data, size)) return false;
  out.emplace(static_cast<const char*>(data), size);
  return true;
}

// (base, what, mode, expected | null, freeze | null, next | null, note, …)
bool readRequest(const Call& call, TransactionRequest& request) {
  const Utf8 base(call, 0);
  std::uint32_t what = 0;
  Expected& expected = request.expected;
  std::optional<std::string> bytes;
  std::optional<std::string> next;
  const Utf8 note(call, 6);
  if (!base.isPath() || !call.uint32At(1, what) || !call.int32At(2, request.mode) ||
      !optionalBytes(call, 3, bytes) || !optionalBytes(call, 4, expected.freeze) ||
      !optionalBytes(call, 5, next) || !note.valid()) {
    return false;
  }
  request.base = base.text();
  request.change = static_cast<Change>(what & changeMask);
  expected.record = static_cast<Expectation>((what >> expectationShift) & expectationMask);
  request.attach = (what & attach) != 0;
  request.durable = (what & durable) != 0;
  expected.dead = (what & expectDead) != 0;
  expected.minded = (what & minded) != 0;
  request.flags = what >> flagsShift;
  request.next = std::move(next).value_or("");
  request.note = note.text();
  const bool writesRecord = request.change == Change::grant || request.change == Change::renew ||
                            request.change == Change::replace;
  if (writesRecord && !record::hasHeader(request.next)) return false;
  const bool compares = expected.record == Expectation::same || expected.record == Expectation::own;
  if (compares != bytes.has_value()) return false;
  expected.bytes = std::move(bytes).value_or("");
  return true;
}

// What there is to tell, and nothing else: each field costs as much as a cheap system call. Bytes
// are strings with a character for each byte; a Buffer from here would cost ten times as much. {
// verdict, record?, freeze?, alive?, note?, token?, written? }, or { verdict, errno, syscall, path
// }
napi_value toObject(const Call& call, Verdict verdict, const Transaction& transaction) {
  napi_value object = nullptr;
  napi_create_object(call.env(), &object);
  call.set(object, "verdict", call.number(static_cast<double>(verdict)));
  if (verdict == Verdict::failed || verdict == Verdict::notRegular) {
    call.set(object, "errno", call.number(transaction.failure().code));
    call.set(object, "syscall", call.string(transaction.failure().call));
    call.set(object, "path", call.string(transaction.failedPath()));
    return object;
  }
  if (verdict != Verdict::done && verdict != Verdict::conflict) return object;
  const Snapshot& found = transaction.found();
  if (found.record) call.set(object, "record", call.latin1(*found.record));
  if (found.freeze) call.set(object, "freeze", call.latin1(*found.freeze));
  if (found.alive) call.set(object, "alive", call.boolean(true));
  if (!found.note.empty()) call.set(object, "note", call.string(found.note));
  if (verdict == Verdict::done && transaction.grants()) {
    call.set(object, "token", call.bigint(transaction.token()));
    call.set(object, "written", call.latin1(transaction.written()));
  }
  return object;
}

constexpr char kTransaction[] =
    "expected (base, what, mode, expected, freeze, next, note, idle handle, ...)";

}  // namespace

// (…, handle): now, or not at all: neither the guard nor the disk is waited for.
napi_value transact(const Call& call) {
  TransactionRequest request;
  LockHandle* live = idleHandleAt(call, 7);
  if (live == nullptr || !readRequest(call, request)) return call.misuse(kTransaction);
  Environment& environment = environmentOf(call);
  const bool before = live->held();
  Transaction transaction(std::move(request));
  const Verdict verdict = transaction.run(*live, environment.volumes(), false, nullptr);
  if (live->held() && !before) environment.addHeld(live);
  if (!live->held() && before) environment.removeHeld(live);
  return toObject(call, verdict, transaction);
}

// (…, handle, callback): on a thread of its own, with as much patience as it takes.
napi_value startTransact(const Call& call) {
  TransactionRequest request;
  LockHandle* live = idleHandleAt(call, 7);
  if (live == nullptr || !call.isFunctionAt(8) || !readRequest(call, request)) {
    return call.misuse(kTransaction);
  }
  Environment& environment = environmentOf(call);
  if (live->held()) environment.removeHeld(live);
  auto* waiter = new LockWaiter(std::move(request), *live, environment.volumes());
  const napi_value failure = begin(call, waiter, live, call.at(8));
  if (failure != nullptr && live->held()) environment.addHeld(live);
  return failure;
}

// (handle): as transact() answers. Only after the callback.
napi_value collectTransact(const Call& call) {
  auto* live = call.externalAt<LockHandle>(0);
  LockWaiter* waiter = live == nullptr ? nullptr : live->waiter;
  if (waiter == nullptr || !waiter->hasResult() || waiter->transaction() == nullptr) {
    return call.misuse("expected (handle), and a transaction that has a result");
  }
  const Transaction& transaction = *waiter->transaction();
  const napi_value result = toObject(call, waiter->verdict(), transaction);
  live->takeFrom(waiter->handle());
  live->waiter = nullptr;
  waiter->drop();
  if (live->held()) environmentOf(call).addHeld(live);
  return result;
}

// (handle, callback): waits until the holder of the record in `handle`, which a look put there, is
// gone; then `collect` answers granted.
napi_value startRecordWait(const Call& call) {
  LockHandle* handle = freeHandleAt(call, 0);
  if (handle == nullptr || !handle->file().isOpen() || !call.isFunctionAt(1)) {
    return call.misuse("expected (handle with a record, callback)");
  }
  return begin(call, new LockWaiter(*handle), handle, call.at(1));
}

// (path): the record there if somebody holds the lock on it, else undefined. Without the guard, so
// it may have changed by now. Whoever is granted a lease locks the file that it has created, and
// writes then: to try the lock of one that is empty would be in its way. Of a record that can be
// read no lease takes the lock anew, and ours is shared, as in a look: it is in nobody's way, even
// if we are stopped.
napi_value glance(const Call& call) {
  const Utf8 path(call, 0);
  if (!path.isPath()) return call.misuse("expected (path)");
  Sight sight;
  if (see(path.text(), nullptr, sight) || !sight.file.isOpen()) return nullptr;
  if (!sight.bytes || !record::hasHeader(*sight.bytes)) return nullptr;
  os::Failure failure;
  const os::LockResult probe = sight.file.tryLock(true, failure);
  if (probe == os::LockResult::granted) sight.file.unlock();
  return probe == os::LockResult::busy ? call.latin1(*sight.bytes) : nullptr;
}

// []: monotonic and boot-time clock, in milliseconds; see clock_gettime(2).
napi_value bootClock(const Call& call) {
  napi_value pair = nullptr;
  napi_create_array_with_length(call.env(), 2, &pair);
  constexpr double kNsPerMs = 1e6;
  napi_set_element(call.env(), pair, 0,
                   call.number(static_cast<double>(os::monotonicNs()) / kNsPerMs));
  napi_set_element(call.env(), pair, 1,
                   call.number(static_cast<double>(os::boottimeNs()) / kNsPerMs));
  return pair;
}

// { bootId, timeNamespace }: whose clocks these are. Empty where the system does not tell.
napi_value bootIdentity(const Call& call) {
  const os::BootIdentity identity = os::bootIdentity();
  napi_value object = nullptr;
  napi_create_object(call.env(), &object);
  call.set(object, "bootId", call.string(identity.bootId));
  call.set(object, "timeNamespace", call.string(identity.timeNamespace));
  return object;
}

}  // namespace holdfast
