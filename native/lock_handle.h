// LockHandle: what JavaScript holds when it holds a lock. It owns the open, locked file.
#pragma once

#include <cstdint>
#include <string>

#include "local_volumes.h"
#include "os.h"

namespace holdfast {

// How an attempt ended. The numbers cross into JavaScript (src/native.ts has the same list).
enum class Outcome : std::uint32_t {
  granted = 0,
  busy = 1,        // somebody else holds it
  cancelled = 2,   // the wait was given up
  unjudged = 3,    // on a volume whose filesystem nobody has vouched for yet; nothing was locked
  failed = 4,      // a system call failed; failure() says which
  notRegular = 5,  // a directory, FIFO, socket or device stands at the path
  deadlock = 6,    // the caller's own thread holds it: waiting could never succeed
  recovered = 7,   // granted, and the exclusive holder before died without signing out
};

inline bool isGrant(Outcome outcome) {
  return outcome == Outcome::granted || outcome == Outcome::recovered;
}

// One request, as views: whoever waits on another thread keeps the strings alive (LockWaiter).
struct LockRequest {
  enum Flag : std::uint32_t {
    shared = 1,    // LOCK_SH
    sidecar = 2,   // `path` is a sidecar: create it, refuse links, keep the holder's text in it
    network = 4,   // vouched for, although the filesystem is remote
    local = 8,     // vouched for, and so is the whole volume from now on
    noPause = 16,  // answer busy instead of sleeping out of courtesy (courtesy.h)
    plain = 32     // with sidecar: a permanent file of another kind, without the holder's text
  };
  const char* path = "";
  const char* text = "";
  std::size_t textSize = 0;
  int mode = -1;
  std::uint32_t flags = 0;
  bool has(Flag flag) const { return (flags & flag) != 0; }
  bool isSigned() const { return has(sidecar) && !has(plain); }
};

class LockWaiter;

class LockHandle {
 public:
  // One attempt after another until the lock is had on the inode that the path names, or until
  // something else is to be said. Without `interrupt` it never blocks on a holder. After a grant,
  // enter().
  Outcome acquire(const LockRequest& request, LocalVolumes& volumes, os::Interrupt* interrupt);

  // The holder has its lock in hand: signs it in, and says `recovered` if the one before died
  // without signing out. Not before somebody really has it. A grant that nobody waits for any more
  // goes back without a trace, and the notice of a crash is still there for the next one.
  Outcome enter(const LockRequest& request);

  // Signs out, unlocks, closes: whichever of them there is to do.
  void release();
  // Unlocks and closes without signing out: the next holder learns that this one never released.
  void abandon();

  LockHandle() = default;
  ~LockHandle() { abandon(); }
  LockHandle(const LockHandle&) = delete;
  LockHandle& operator=(const LockHandle&) = delete;

  bool held() const { return held_; }
  bool shared() const { return shared_; }
  // After acquire(), also when the answer was `busy`: the file that was tried.
  const os::FileId& id() const { return id_; }
  // The holder that died before us without signing out, as it wrote it; "" for none.
  const std::string& previous() const { return previous_; }
  const os::Failure& failure() const { return failure_; }
  // Remembers why nothing was granted, and answers so.
  Outcome fail(const os::Failure& failure);

  // Takes a file that somebody else opened: locked exclusively, or not at all.
  void adopt(os::File&& file, const os::FileId& id, bool locked);
  // Waits until nobody holds the adopted, unlocked file exclusively, and closes it.
  Outcome awaitHolder(os::Interrupt& interrupt);
  const os::File& file() const { return file_; }

  // Takes over what `other` holds, or why it holds nothing. This one must hold nothing.
  void takeFrom(LockHandle& other);

  // Does `path` still name the locked file? False when it names another or none.
  os::Failure stillNamed(const char* path, bool& named) const;

  // Links of Environment's list of held handles; whether JavaScript has forgotten this one.
  LockHandle* next = nullptr;
  LockHandle* before = nullptr;
  bool orphaned = false;
  // The wait that is to fill this handle, until its result is collected.
  LockWaiter* waiter = nullptr;

 private:
  Outcome open(const LockRequest& request, const LocalVolumes& volumes, os::File& file);
  void settle(os::File&& file, const LockRequest& request, char letter);

  os::File file_;
  os::FileId id_;
  bool held_ = false;
  bool shared_ = false;
  bool signed_ = false;  // the sidecar names this holder
  bool followLinks_ = false;
  char letter_ = '-';  // what it left in the sidecar while it waited
  std::string previous_;
  os::Failure failure_;
};

}  // namespace holdfast
