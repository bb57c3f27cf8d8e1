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

#include <utility>

#include "exclusive_file.h"
#include "guard.h"
#include "record.h"
#include "sight.h"

namespace holdfast {

// The state of one run, while the guard is held.
class Transaction::Step {
 public:
  Step(Transaction& transaction, const LockHandle& guard, const std::string& guardPath)
      : transaction_(transaction),
        request_(transaction.request_),
        guard_(guard.file(), guardPath.c_str()),
        recordPath_(request_.base + ".lock"),
        freezePath_(request_.base + ".freeze"),
        newPath_(request_.base + ".new"),
        guardPath_(guardPath) {}

  Verdict run(LockHandle& live, bool patient) {
    if (const Verdict verdict = lookAtRecord(live); verdict != Verdict::done) return verdict;
    if (!isOwnAffair()) {
      if (const Verdict verdict = lookAround(); verdict != Verdict::done) return verdict;
      if (!request_.expected.matches(transaction_.found_)) {
        handOver(live);
        return Verdict::conflict;
      }
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
      case Change::tidy:
        return tidy();
    }
    return Verdict::failed;
  }

 private:
  Verdict lookAtRecord(const LockHandle& live) {
    Snapshot& found = transaction_.found_;
    found = {};
    if (const os::Failure failure = see(recordPath_, &live, record_)) {
      return fail(failure, recordPath_);
    }
    if (!record_.regular) return irregular(recordPath_);
    found.record = record_.bytes;
    found.alive = record_.own;
    if (record_.own || !found.record) return Verdict::done;
    os::Failure failure;
    const os::LockResult probe = record_.file.tryLock(true, failure);
    if (probe == os::LockResult::failed) return fail(failure, recordPath_);
    found.alive = probe == os::LockResult::busy;
    if (!found.alive) record_.file.unlock();
    return Verdict::done;
  }

  // A renewal or release that finds its own record: no freeze, note or counter has a say in it.
  bool isOwnAffair() const {
    const Change change = request_.change;
    const bool ofOwner =
        change == Change::renew || change == Change::replace || change == Change::remove;
    const Expected& expected = request_.expected;
    return ofOwner && expected.record == Expectation::own && !expected.minded &&
           expected.matches(transaction_.found_);
  }

  Verdict lookAround() {
    Snapshot& found = transaction_.found_;
    if (const os::Failure failure = guard_.read()) return fail(failure, guardPath_);
    found.note = guard_.note();
    Sight frozen;
    if (const os::Failure failure = see(freezePath_, nullptr, frozen)) {
      return fail(failure, freezePath_);
    }
    if (!frozen.regular) return irregular(freezePath_);
    found.freeze = std::move(frozen.bytes);
    return Verdict::done;
  }

  bool mustSync() const {
    if (request_.change == Change::look) return false;
    return request_.durable ||
           (request_.change == Change::grant && guard_.needsSync(record_.token()));
  }

  // The record, open and unlocked, for a waiter: opened here, under the guard, it is the file that
  // has just been judged.
  void handOver(LockHandle& live) {
    if (!request_.attach || live.held() || !record_.bytes) return;
    live.adopt(std::move(record_.file), record_.info.id, false);
  }

  Verdict grant(LockHandle& live) {
    if (const os::Failure failure = guard_.nextToken(record_.token(), transaction_.token_)) {
      return fail(failure, guardPath_);
    }
    record::stampToken(request_.next, transaction_.token_);
    record::stampChecksum(request_.next);
    os::File file;
    os::FileInfo info;
    os::Failure failure = record_.bytes ? exchange(file, recordPath_)
                                        : createExclusiveFile(file, recordPath_.c_str(), newFile());
    if (!failure && request_.attach) failure = file.info(info);
    if (failure) {
      // An unsynced record of nobody would keep others out until its end.
      if (file.isOpen()) takeBack(file, recordPath_.c_str());
      return fail(failure, recordPath_);
    }
    if (request_.attach) live.adopt(std::move(file), info.id, true);
    // If this record vanishes (an outsider, a power cut) nobody shall read that all was well.
    if (guard_.note() != Guard::kTaken) guard_.leaveNote(Guard::kTaken);
    return Verdict::done;
  }

  Verdict renew(LockHandle& live) {
    const bool fits = record_.bytes && record_.bytes->size() == request_.next.size();
    if (!record_.own || !fits) return Verdict::conflict;
    record::stampChecksum(request_.next);
    const os::Failure failure = live.file().writeAt(0, request_.next.data(), request_.next.size());
    return failure ? fail(failure, recordPath_) : Verdict::done;
  }

  // Once it has its name it stays, whatever the sync of the directory says: it is the lease of one
  // who has it, and without it somebody else would be granted another.
  Verdict replace(LockHandle& live) {
    record::stampChecksum(request_.next);
    os::File file;
    if (const os::Failure failure = exchange(file, recordPath_)) return fail(failure, recordPath_);
    live.abandon();
    return Verdict::done;
  }

  Verdict remove() {
    if (!record_.bytes) return Verdict::done;
    const Verdict verdict = removeAt(recordPath_);
    if (verdict == Verdict::done) guard_.leaveNote(request_.note);
    return verdict;
  }

  Verdict freeze() {
    os::File file;
    const os::Failure failure = exchange(file, freezePath_);
    return failure ? fail(failure, freezePath_) : Verdict::done;
  }

  Verdict unfreeze() { return transaction_.found_.freeze ? removeAt(freezePath_) : Verdict::done; }

  Verdict tidy() {
    const os::Failure failure = os::removeFile(newPath_.c_str());
    if (!failure || failure.code == ENOENT) return Verdict::done;
    os::FileInfo standing;
    const bool known = !os::infoOf(newPath_.c_str(), os::Links::refuse, standing);
    return known && !standing.regular ? irregular(newPath_) : fail(failure, newPath_);
  }

  NewFile newFile() const {
    const bool locked = request_.attach && request_.change == Change::grant;
    return {request_.next.data(), request_.next.size(), request_.mode, request_.durable, locked};
  }

  // Puts a new file in the place of another.
  os::Failure exchange(os::File& file, const std::string& path) {
    record_.file.close();  // Windows without POSIX semantics does not replace a file that is open
    // A left-over of somebody who died here; under the guard nobody else can be at work on it.
    os::removeFile(newPath_.c_str());
    return exchangeFile(file, newPath_.c_str(), path.c_str(), newFile());
  }

  Verdict removeAt(const std::string& path) {
    os::Failure failure = os::removeFile(path.c_str());
    if (!failure && request_.durable) failure = os::syncDirectoryOf(path.c_str());
    return failure ? fail(failure, path) : Verdict::done;
  }

  Verdict fail(const os::Failure& failure, const std::string& path) {
    return transaction_.fail(failure, path);
  }

  Verdict irregular(const std::string& path) {
    fail({}, path);
    return Verdict::notRegular;
  }

  Transaction& transaction_;
  TransactionRequest& request_;
  Guard guard_;
  Sight record_;
  const std::string recordPath_;
  const std::string freezePath_;
  const std::string newPath_;
  const std::string& guardPath_;
};

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
