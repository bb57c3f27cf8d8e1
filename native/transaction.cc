// The order of the steps is the protocol; docs/protocol.md has the table of what a crash after each
// one leaves behind.
//
// - The new record is locked before the guard is given back. Later, and somebody could find a
//   record without a holder and take it for a dead one's.
// - A record that takes the place of another comes by rename: a reader sees the old one or the new.
// - An attached record is renewed in place. Another file would leave the holder's lock behind, on
//   an inode that nobody looks at. A detached record must not be: half written and without a lock
//   it would look like the record of a creator that died.
// - After a failed write or sync the state of the medium is unknown. What was made is taken away,
//   nothing is granted, and nothing is synced twice.
#include "transaction.h"

#include <algorithm>
#include <utility>

#include "guard.h"
#include "record.h"

namespace holdfast {
namespace {

// What stands at a path, as far as a record can be long. `file` stays open.
struct Sight {
  os::File file;
  os::FileInfo info;
  std::optional<std::string> bytes;
  bool regular = true;
};

os::Failure see(const std::string& path, Sight& sight) {
  os::Failure failure = sight.file.open(path.c_str(), os::Access::read, os::Links::refuse);
  if (failure.code == ENOENT) return {};
  if (failure.code == ELOOP || failure.code == ENXIO || failure.code == EISDIR) {
    sight.regular = false;
    return {};
  }
  if (failure) return failure;
  failure = sight.file.info(sight.info);
  if (failure) return failure;
  sight.regular = sight.info.regular;
  if (!sight.regular) return {};
  // One byte more than it says: a record that grows under our eyes, or is too long, shows.
  const std::uint64_t size = std::min<std::uint64_t>(sight.info.size, record::kMaxSize);
  std::string bytes(static_cast<std::size_t>(size) + 1, '\0');
  std::size_t got = 0;
  failure = sight.file.readAt(0, bytes.data(), bytes.size(), got);
  if (failure) return failure;
  bytes.resize(got);
  sight.bytes = std::move(bytes);
  return {};
}

}  // namespace

// The state of one run, while the guard is held.
class Transaction::Step {
 public:
  Step(Transaction& transaction, const LockHandle& guard, const std::string& guardPath)
      : transaction_(transaction),
        request_(transaction.request_),
        guard_(guard.file(), guard.id(), guardPath.c_str()),
        recordPath_(request_.base + ".lock"),
        freezePath_(request_.base + ".freeze"),
        newPath_(request_.base + ".new"),
        guardPath_(guardPath) {}

  Verdict run(LockHandle& live, bool patient) {
    if (const Verdict verdict = look(); verdict != Verdict::done) return verdict;
    if (!expected()) {
      handOver(live);
      return Verdict::conflict;
    }
    if (!patient && mustSync()) return Verdict::needsSync;
    switch (request_.change) {
      case Change::look:
        handOver(live);
        return Verdict::done;
      case Change::grant:
        return grant(live);
      case Change::renew:
        return renew(live);
      case Change::replace:
        return replace(live);
      case Change::remove:
        return remove();
      case Change::freeze:
        return freeze();
      case Change::unfreeze:
        return unfreeze();
    }
    return Verdict::failed;
  }

 private:
  Verdict look() {
    Snapshot& found = transaction_.found_;
    found = {};
    if (const os::Failure failure = guard_.read()) return fail(failure, guardPath_);
    found.note = guard_.note();
    Sight frozen;
    if (const os::Failure failure = see(freezePath_, frozen)) return fail(failure, freezePath_);
    if (const os::Failure failure = see(recordPath_, record_)) return fail(failure, recordPath_);
    if (!record_.regular || !frozen.regular) return Verdict::notRegular;
    found.freeze = std::move(frozen.bytes);
    found.record = record_.bytes;
    if (!found.record) return Verdict::done;
    os::Failure failure;
    const os::LockResult probe = record_.file.tryLock(true, failure);
    if (probe == os::LockResult::failed) return fail(failure, recordPath_);
    found.alive = probe == os::LockResult::busy;
    if (!found.alive) record_.file.unlock();
    return Verdict::done;
  }

  bool expected() const {
    const Snapshot& found = transaction_.found_;
    if (request_.expectDead && found.alive) return false;
    if (request_.minded && found.freeze != request_.expectedFreeze) return false;
    switch (request_.expectation) {
      case Expectation::anything:
        return true;
      case Expectation::absent:
        return !found.record;
      case Expectation::same:
        return found.record && *found.record == request_.expected;
      case Expectation::own:
        return found.record && record::sameIdentity(*found.record, request_.expected);
    }
    return false;
  }

  bool mustSync() const {
    if (request_.change == Change::look) return false;
    return request_.durable || (request_.change == Change::grant && guard_.needsSync());
  }

  // The record, open and unlocked, for a waiter: opened here, under the guard, it is the file that
  // has just been judged.
  void handOver(LockHandle& live) {
    if (!request_.attach || live.held() || !record_.bytes) return;
    live.adopt(std::move(record_.file), record_.info.id, false);
  }

  Verdict grant(LockHandle& live) {
    std::uint64_t floor = 0;
    if (record_.bytes && record::hasHeader(*record_.bytes)) {
      record::readDecimal(record_.bytes->data() + record::kTokenOffset, record::kTokenDigits,
                          floor);
      // A damaged record may say anything; its token counts only if it could be one of ours.
      if (record::checksum(*record_.bytes) != statedChecksum(*record_.bytes)) floor = 0;
    }
    if (const os::Failure failure = guard_.nextToken(floor, transaction_.token_)) {
      return fail(failure, guardPath_);
    }
    record::stampToken(request_.next, transaction_.token_);
    os::File file;
    os::FileInfo info;
    if (const Verdict verdict = put(file, info, !record_.bytes); verdict != Verdict::done) {
      return verdict;
    }
    if (request_.attach) live.adopt(std::move(file), info.id, true);
    if (!guard_.note().empty()) {
      guard_.setNote("");
      guard_.storeNote();  // it only explains
    }
    return Verdict::done;
  }

  Verdict renew(LockHandle& live) {
    if (!record_.bytes || !live.held() || !(live.id() == record_.info.id) ||
        record_.bytes->size() != request_.next.size()) {
      return Verdict::conflict;
    }
    record::stampChecksum(request_.next);
    const os::Failure failure = live.file().writeAt(0, request_.next.data(), request_.next.size());
    return failure ? fail(failure, recordPath_) : Verdict::done;
  }

  Verdict replace(LockHandle& live) {
    os::File file;
    os::FileInfo info;
    if (const Verdict verdict = put(file, info, false); verdict != Verdict::done) return verdict;
    live.abandon();
    return Verdict::done;
  }

  Verdict remove() {
    if (!record_.bytes) return Verdict::done;
    if (const os::Failure failure = os::removeFile(recordPath_.c_str())) {
      return fail(failure, recordPath_);
    }
    guard_.setNote(request_.note);
    guard_.storeNote();  // it only explains
    return syncEntry();
  }

  Verdict freeze() {
    os::File file;
    if (const os::Failure failure = fill(file, newPath_)) return takeBack(failure, newPath_);
    if (const os::Failure failure = os::renameFile(newPath_.c_str(), freezePath_.c_str())) {
      return takeBack(failure, newPath_);
    }
    return syncEntry();
  }

  Verdict unfreeze() {
    if (!transaction_.found_.freeze) return Verdict::done;
    if (const os::Failure failure = os::removeFile(freezePath_.c_str())) {
      return fail(failure, freezePath_);
    }
    return syncEntry();
  }

  // The new record, in its place: created there when there is none, else renamed over the old one.
  Verdict put(os::File& file, os::FileInfo& info, bool fresh) {
    record_.file.close();  // Windows without POSIX semantics does not replace a file that is open
    record::stampChecksum(request_.next);
    const std::string& path = fresh ? recordPath_ : newPath_;
    os::Failure failure = fill(file, path);
    if (!failure) failure = file.info(info);
    if (!failure && !fresh) failure = os::renameFile(newPath_.c_str(), recordPath_.c_str());
    if (failure) return takeBack(failure, path);
    if (!request_.durable) return Verdict::done;
    failure = os::syncDirectoryOf(recordPath_.c_str());
    return failure ? takeBack(failure, recordPath_) : Verdict::done;
  }

  // Creates the file, takes its lock if it is to be attached, and writes it.
  os::Failure fill(os::File& file, const std::string& path) {
    // A left-over of somebody who died here; under the guard nobody else can be at work on it.
    if (&path == &newPath_) os::removeFile(path.c_str());
    os::Failure failure = file.create(path.c_str(), request_.mode);
    created_ = file.isOpen();
    if (failure) return failure;
    if (request_.attach && request_.change == Change::grant) {
      const os::LockResult lock = file.tryLock(false, failure);
      if (lock == os::LockResult::busy) failure = {EBUSY, "flock"};  // an outsider's
      if (failure) return failure;
    }
    failure = file.writeAt(0, request_.next.data(), request_.next.size());
    if (!failure && request_.durable) failure = file.sync();
    return failure;
  }

  Verdict takeBack(const os::Failure& failure, const std::string& path) {
    if (created_) os::removeFile(path.c_str());
    return fail(failure, path);
  }

  Verdict syncEntry() {
    if (!request_.durable) return Verdict::done;
    const os::Failure failure = os::syncDirectoryOf(recordPath_.c_str());
    return failure ? fail(failure, recordPath_) : Verdict::done;
  }

  Verdict fail(const os::Failure& failure, const std::string& path) {
    return transaction_.fail(failure, path);
  }

  static std::uint32_t statedChecksum(const std::string& bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < record::kCrcDigits; ++i) {
      const char c = bytes[record::kCrcOffset + i];
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
      sum = sum * 16 + static_cast<std::uint32_t>(digit);
    }
    return sum;
  }

  Transaction& transaction_;
  TransactionRequest& request_;
  Guard guard_;
  Sight record_;
  bool created_ = false;
  const std::string recordPath_;
  const std::string freezePath_;
  const std::string newPath_;
  const std::string& guardPath_;
};

Verdict Transaction::fail(const os::Failure& failure, const std::string& path) {
  failure_ = failure;
  failedPath_ = path;
  return Verdict::failed;
}

Verdict Transaction::run(LockHandle& live, LocalVolumes& volumes, bool patient,
                         os::Interrupt* interrupt) {
  const std::string guardPath = request_.base + ".guard";
  LockRequest lock;
  lock.path = guardPath.c_str();
  lock.mode = request_.mode;
  lock.flags = request_.flags | LockRequest::sidecar | LockRequest::plain;
  LockHandle guard;
  switch (guard.acquire(lock, volumes, patient ? interrupt : nullptr)) {
    case Outcome::granted:
      break;
    case Outcome::busy:
      return Verdict::busy;
    case Outcome::cancelled:
      return Verdict::cancelled;
    case Outcome::unjudged:
      return Verdict::unjudged;
    case Outcome::notRegular:
      failedPath_ = guardPath;
      return Verdict::notRegular;
    default:
      return fail(guard.failure(), guardPath);
  }
  // The guard is given back by its handle's end, after the last step.
  return Step(*this, guard, guardPath).run(live, patient);
}

}  // namespace holdfast
