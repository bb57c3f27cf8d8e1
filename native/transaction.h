// Transaction: one change of one lease, a compare-and-swap under its guard.
//
// Every change of NAME.lock and NAME.freeze happens here, while NAME.guard is locked, in one piece
// of synchronous code. The caller says what it believes to be there and what is to be there
// instead; if anything differs the answer is `conflict`, with what is really there. So two that
// break the same stale lease, a renewal that meets a break, a release that comes late: each is one
// swap that succeeds and one that does not.
//
// What a lease means (owner, TTL, who may break it) is not known here.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "lock_handle.h"
#include "os.h"
#include "snapshot.h"

namespace holdfast {

// The numbers cross into JavaScript (src/native.ts and src/transaction-request.ts have the same
// lists).
enum class Change : std::uint32_t {
  look = 0,      // nothing: a snapshot, with liveness
  grant = 1,     // a new record with a new token, in place of what is expected
  renew = 2,     // own record, same length, written in place (attached)
  replace = 3,   // own record, by another file in its place (detached)
  remove = 4,    // no record
  freeze = 5,    // the freeze file's contents
  unfreeze = 6,  // no freeze file
  tidy = 7,      // no left-over of somebody who died inside
};

enum class Verdict : std::uint32_t {
  done = 0,
  conflict = 1,    // something else is there; see `found`
  busy = 2,        // the guard is locked by somebody
  needsSync = 3,   // it would have to wait for the disk, and was told not to
  unjudged = 4,    // nobody has vouched for the filesystem
  notRegular = 5,  // a directory, link or FIFO stands where guard, record or freeze should be
  failed = 6,
  cancelled = 7,
};

struct TransactionRequest {
  std::string base;  // folder and encoded name; ".lock", ".guard", ".freeze", ".new" are added
  Change change = Change::look;
  Expected expected;
  std::string next;         // the new record or freeze
  bool attach = false;      // the new record is locked for as long as we live
  bool durable = false;     // on the medium before the answer
  std::string note;         // for the next holder, with `remove`
  int mode = 0600;          // of files that are created
  std::uint32_t flags = 0;  // LockRequest::local or network
};

class Transaction {
 public:
  explicit Transaction(TransactionRequest request) : request_(std::move(request)) {}

  // `live` is the holder's own handle: it receives the new record's lock (grant with attach,
  // replace without), gives it up (replace), or is read and written through (renew, remove).
  // Without `patient` nothing waits: not for the guard, not for the disk.
  Verdict run(LockHandle& live, LocalVolumes& volumes, bool patient, os::Interrupt* interrupt);

  bool grants() const { return request_.change == Change::grant; }
  const Snapshot& found() const { return found_; }
  std::uint64_t token() const { return token_; }
  // The record as it was written, stamped.
  const std::string& written() const { return request_.next; }
  const os::Failure& failure() const { return failure_; }
  const std::string& failedPath() const { return failedPath_; }

 private:
  class Step;
  Verdict fail(const os::Failure& failure, const std::string& path) {
    failure_ = failure;
    failedPath_ = path;
    return Verdict::failed;
  }

  TransactionRequest request_;
  Snapshot found_;
  std::uint64_t token_ = 0;
  os::Failure failure_;
  std::string failedPath_;
};

}  // namespace holdfast
