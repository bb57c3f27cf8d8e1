// Files and their locks on Linux and macOS.
//
// Locks are flock(2): they belong to the open file description, so two of them exclude each other
// even inside one process, and no close() of another descriptor drops them. fcntl(2) record locks
// do neither (docs/adr/0002-flock-never-fcntl.md).
//
// A blocking flock() has no time-out. A waiter therefore runs on a thread of its own, and a signal
// with a handler that does nothing, installed without SA_RESTART, makes the call return EINTR
// (signal(7)). The signal may arrive just before the system call begins; then it is lost. So the
// canceller repeats it until the thread has left, and the thread looks at the flag on every EINTR.
#include "../os.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "wake_signal.h"

namespace holdfast::os {
namespace {

// errno survives nothing: it is read on the line after the call that set it.
Failure failed(const char* call) { return {errno, call}; }

// The one place that retries EINTR (close excepted: on Linux the descriptor is gone either way).
template <typename Call>
auto retry(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result == -1 && errno == EINTR);
  return result;
}

FileInfo infoFrom(const struct stat& st) {
  return {{static_cast<std::uint64_t>(st.st_dev), 0, static_cast<std::uint64_t>(st.st_ino)},
          S_ISREG(st.st_mode),
          static_cast<std::uint64_t>(st.st_size)};
}

}  // namespace

Failure File::open(const char* path, Access access, Links links) {
  // O_NONBLOCK: a FIFO without a reader must not hang us; it means nothing for a regular file.
  const int flags = (access == Access::read ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK |
                    O_NOCTTY | (links == Links::refuse ? O_NOFOLLOW : 0);
  const int fd = retry([&] { return ::open(path, flags); });
  if (fd == -1) return failed("open");
  close();
  handle_ = fd;
  return {};
}

Failure File::create(const char* path, int mode) {
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  const mode_t wanted = static_cast<mode_t>(mode < 0 ? 0666 : mode);
  const int fd = retry([&] { return ::open(path, flags, wanted); });
  if (fd == -1) return failed("open");
  close();
  handle_ = fd;
  // open(2) takes the umask away from the mode; what the caller asked for is what others must see.
  // The file stays, and stays open, if that fails: others may have locked it already. Looked at
  // first: of a private file the umask takes nothing, and fchmod(2) writes the inode.
  struct stat st;
  if (mode < 0 || (::fstat(fd, &st) == 0 && (st.st_mode & 07777) == wanted)) return {};
  return ::fchmod(fd, wanted) == -1 ? failed("fchmod") : Failure{};
}

void File::close() {
  if (handle_ == kClosed) return;
  ::close(static_cast<int>(handle_));
  handle_ = kClosed;
}

Failure File::info(FileInfo& out) const {
  struct stat st;
  if (::fstat(static_cast<int>(handle_), &st) == -1) return failed("fstat");
  out = infoFrom(st);
  return {};
}

LockResult File::tryLock(bool shared, Failure& failure) {
  const int operation = (shared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  if (retry([&] { return ::flock(static_cast<int>(handle_), operation); }) == 0) {
    return LockResult::granted;
  }
  if (errno == EWOULDBLOCK) return LockResult::busy;
  failure = failed("flock");
  return LockResult::failed;
}

LockResult File::lock(bool shared, Interrupt& interrupt, Failure& failure) {
  const int signal = listenForWakeSignal(failure);
  if (signal == 0) return LockResult::failed;
  {
    const std::lock_guard<std::mutex> guard(interrupt.mutex_);
    interrupt.signal_ = signal;
    interrupt.target_ = currentThread();
  }
  LockResult result = LockResult::interrupted;
  while (!interrupt.requested()) {
    if (::flock(static_cast<int>(handle_), shared ? LOCK_SH : LOCK_EX) == 0) {
      result = LockResult::granted;
      break;
    }
    if (errno == EINTR) continue;
    failure = failed("flock");
    result = LockResult::failed;
    break;
  }
  const std::lock_guard<std::mutex> guard(interrupt.mutex_);
  interrupt.target_ = 0;
  return result;
}

void File::unlock() {
  retry([&] { return ::flock(static_cast<int>(handle_), LOCK_UN); });
}

Failure File::readAt(std::uint64_t offset, void* into, std::size_t size, std::size_t& got) const {
  got = 0;
  while (got < size) {
    const ssize_t n = retry([&] {
      return ::pread(static_cast<int>(handle_), static_cast<char*>(into) + got, size - got,
                     static_cast<off_t>(offset + got));
    });
    if (n == -1) return failed("read");
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  return {};
}

Failure File::writeAt(std::uint64_t offset, const void* bytes, std::size_t size) const {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = retry([&] {
      return ::pwrite(static_cast<int>(handle_), static_cast<const char*>(bytes) + done,
                      size - done, static_cast<off_t>(offset + done));
    });
    if (n == -1) return failed("write");
    // A write that makes no progress and names no reason would loop for ever.
    if (n == 0) return {EIO, "write"};
    done += static_cast<std::size_t>(n);
  }
  return {};
}

Failure File::sync() const {
#ifdef F_FULLFSYNC
  // fsync(2) on macOS hands the bytes to the drive, which may keep them in its cache.
  if (retry([&] { return ::fcntl(static_cast<int>(handle_), F_FULLFSYNC); }) == 0) return {};
  if (errno != ENOTSUP && errno != EINVAL && errno != ENOTTY) return failed("fcntl");
#endif
  if (retry([&] { return ::fsync(static_cast<int>(handle_)); }) == -1) return failed("fsync");
  return {};
}

int File::descriptor() const { return static_cast<int>(handle_); }

Failure infoOf(const char* path, Links links, FileInfo& out) {
  struct stat st;
  const bool follow = links == Links::follow;
  if ((follow ? ::stat(path, &st) : ::lstat(path, &st)) == -1) {
    return failed(follow ? "stat" : "lstat");
  }
  out = infoFrom(st);
  return {};
}

Failure readLink(const char* path, std::string& target, bool& found) {
  char buffer[4096];  // PATH_MAX on Linux; a longer target cannot be opened either
  const ssize_t size = ::readlink(path, buffer, sizeof buffer);
  found = size >= 0;
  if (found) {
    target.assign(buffer, static_cast<std::size_t>(size));
    return {};
  }
  if (errno == EINVAL || errno == ENOENT || errno == ENOTDIR) return {};
  return failed("readlink");
}

Failure removeFile(const char* path) {
  if (::unlink(path) == -1) return failed("unlink");
  return {};
}

Failure renameFile(const char* from, const char* to) {
  if (::rename(from, to) == -1) return failed("rename");
  return {};
}

Failure syncDirectoryOf(const char* path) {
  const std::string name(path);
  const std::size_t slash = name.find_last_of('/');
  const std::string directory =
      slash == std::string::npos ? std::string(".") : name.substr(0, slash == 0 ? 1 : slash);
  const int fd =
      retry([&] { return ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (fd == -1) return failed("open");
  const int result = retry([&] { return ::fsync(fd); });
  const Failure failure = result == -1 ? failed("fsync") : Failure{};
  ::close(fd);
  return failure;
}

}  // namespace holdfast::os
