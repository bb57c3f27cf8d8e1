// One attempt: open, lock, verify, close on failure.
//
// The lock lies on an inode, the agreement on a path. Between our open() and our flock() an
// outsider may remove the file and a third process may create and lock a new one: then we would
// hold an inode that nobody else looks at, and there would be two holders. So after the lock is
// granted the path is looked up again, and unless it still names the locked inode everything is
// closed and begun anew. The same check makes `assertHeld()`.
//
// Every attempt opens the file afresh. A description that survives a failed attempt could share its
// lock with one that a forked child still has, and would keep a removed inode alive.
#include "lock_handle.h"

#include <utility>

#include "courtesy.h"
#include "sidecar.h"

namespace holdfast {
namespace {

// An outsider who removes the file in a loop could keep an attempt that must not block going for
// ever. It has then been refused often enough: unknown means held.
constexpr int kMaxAttempts = 100;

os::Links linksFor(bool follow) { return follow ? os::Links::follow : os::Links::refuse; }

}  // namespace

Outcome LockHandle::fail(const os::Failure& failure) {
  failure_ = failure;
  return Outcome::failed;
}

// Answers granted when the file is open, fit to be locked and vouched for.
Outcome LockHandle::open(const LockRequest& request, const LocalVolumes& volumes, os::File& file) {
  const bool sidecar = request.has(LockRequest::sidecar);
  const bool judged = request.has(LockRequest::network) || request.has(LockRequest::local);
  // A resource of the user's is opened for reading, so that a read-only file and a running program
  // can be locked; NFS turns flock into a byte-range lock, which wants a writable descriptor.
  const os::Access access =
      sidecar || request.has(LockRequest::network) ? os::Access::readWrite : os::Access::read;
  for (int attempt = 0;; ++attempt) {
    os::Failure failure = file.open(request.path, access, linksFor(!sidecar));
    if (failure.code == ENOENT && sidecar) {
      // O_CREAT only now: with fs.protected_regular it is refused, even to root, for another
      // user's file in a sticky directory (proc(5)). And nothing is created on a filesystem that
      // may be refused afterwards.
      if (!judged) return Outcome::unjudged;
      failure = file.create(request.path, request.mode);
      if (failure.code == EEXIST) {
        os::FileInfo standing;
        failure = os::infoOf(request.path, os::Links::refuse, standing);
        if (!failure && !standing.regular) return Outcome::notRegular;  // a dangling link, say
        if (failure && failure.code != ENOENT) return fail(failure);
        if (attempt >= kMaxAttempts) return Outcome::busy;  // somebody makes and removes it
        continue;
      }
    }
    if (failure.code == ELOOP && sidecar) return Outcome::notRegular;
    if (failure.code == EISDIR || failure.code == ENXIO) return Outcome::notRegular;
    if (failure) return fail(failure);
    break;
  }
  os::FileInfo info;
  if (const os::Failure failure = file.info(info)) return fail(failure);
  if (!info.regular) return Outcome::notRegular;
  id_ = info.id;
  if (!judged && !volumes.contains(file, id_)) return Outcome::unjudged;
  return Outcome::granted;
}

Outcome LockHandle::acquire(const LockRequest& request, LocalVolumes& volumes,
                            os::Interrupt* interrupt) {
  const bool shared = request.has(LockRequest::shared);
  for (int attempt = 0; interrupt != nullptr || attempt < kMaxAttempts; ++attempt) {
    if (interrupt != nullptr && interrupt->requested()) return Outcome::cancelled;
    os::File file;
    if (const Outcome opened = open(request, volumes, file); opened != Outcome::granted) {
      return opened;
    }
    if (request.has(LockRequest::local)) volumes.add(file, id_);
    if (const std::uint64_t pause = courtesy::remaining(id_); pause != 0) {
      if (request.has(LockRequest::noPause)) return Outcome::busy;
      os::sleepNs(pause);
    }

    os::Failure failure;
    os::LockResult result = file.tryLock(shared, failure);
    char letter = sidecar::kNobody;
    if (result == os::LockResult::busy && interrupt != nullptr) {
      if (request.isSigned()) letter = sidecar::announceWaiter(file);
      result = file.lock(shared, *interrupt, failure);
    }
    if (result == os::LockResult::busy) return Outcome::busy;
    if (result == os::LockResult::interrupted) return Outcome::cancelled;
    if (result == os::LockResult::failed) return fail(failure);

    os::FileInfo named;
    failure = os::infoOf(request.path, linksFor(!request.has(LockRequest::sidecar)), named);
    if (!failure && named.id == id_) {
      settle(std::move(file), request, letter);
      return Outcome::granted;
    }
    file.unlock();  // not by close() alone: a child forked by a foreign library may share it
    if (failure && failure.code != ENOENT) return fail(failure);
  }
  return Outcome::busy;
}

void LockHandle::settle(os::File&& file, const LockRequest& request, char letter) {
  file_ = std::move(file);
  held_ = true;
  shared_ = request.has(LockRequest::shared);
  signed_ = false;
  followLinks_ = !request.has(LockRequest::sidecar);
  letter_ = letter;
  previous_.clear();
}

Outcome LockHandle::enter(const LockRequest& request) {
  if (!request.isSigned()) return Outcome::granted;
  sidecar::Contents contents = sidecar::read(file_);
  if (contents.held) previous_ = std::move(contents.text);
  if (!shared_) {
    sidecar::signIn(file_, contents.owner, request.text, request.textSize);
    signed_ = true;
  }
  return contents.held ? Outcome::recovered : Outcome::granted;
}

void LockHandle::release() {
  if (held_ && signed_) {
    // Before the unlock: after it the next holder may already have signed in.
    const char letter = sidecar::signOut(file_);
    if (courtesy::isStale(id_, letter, letter_)) sidecar::wipeWaiting(file_, letter);
  }
  abandon();
}

void LockHandle::abandon() {
  if (held_) file_.unlock();
  held_ = false;
  file_.close();
}

void LockHandle::adopt(os::File&& file, const os::FileId& id, bool locked) {
  abandon();
  file_ = std::move(file);
  id_ = id;
  held_ = locked;
  shared_ = signed_ = followLinks_ = false;
}

Outcome LockHandle::awaitHolder(os::Interrupt& interrupt) {
  // Shared: a waiter that woke up and was then stopped must not look like a holder.
  os::Failure failure;
  const os::LockResult result = file_.lock(true, interrupt, failure);
  if (result == os::LockResult::granted) file_.unlock();
  file_.close();
  if (result == os::LockResult::failed) return fail(failure);
  return result == os::LockResult::granted ? Outcome::granted : Outcome::cancelled;
}

void LockHandle::takeFrom(LockHandle& other) {
  file_ = std::move(other.file_);
  id_ = other.id_;
  held_ = other.held_;
  shared_ = other.shared_;
  signed_ = other.signed_;
  followLinks_ = other.followLinks_;
  letter_ = other.letter_;
  previous_ = std::move(other.previous_);
  failure_ = other.failure_;
  other.held_ = false;
}

os::Failure LockHandle::stillNamed(const char* path, bool& named) const {
  os::FileInfo info;
  const os::Failure failure = os::infoOf(path, linksFor(followLinks_), info);
  named = !failure && info.id == id_;
  return failure.code == ENOENT || failure.code == ENOTDIR ? os::Failure{} : failure;
}

}  // namespace holdfast
