// The seam: every system call holdfast makes goes through a verb declared here.
//
// posix/ (Linux, macOS) and win32/ each define all of it; binding.gyp picks one. Nothing in this
// header knows Node-API, a TTL or a sidecar, and no platform header is included above it.
//
// Conventions
//   - Paths are UTF-8 and NUL-terminated.
//   - A verb that can fail returns a Failure. Contention is no failure: it is a value of its own.
//   - EINTR is retried inside, in one place per system; only File::lock can be interrupted.
//   - Error numbers are C errno values on every system, so that the layer above has one table.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

namespace holdfast::os {

// Which call failed, and with what. `if (Failure f = ...) return f;` reads as it should.
struct Failure {
  int code = 0;           // errno; 0 means that nothing failed
  const char* call = "";  // the name in the manual: "open", "flock", "LockFileEx"
  explicit operator bool() const { return code != 0; }
};

// Names a file for as long as somebody keeps it open: device and inode, or volume and file id.
struct FileId {
  std::uint64_t volume = 0;
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  bool operator==(const FileId&) const = default;
};

// What tells a mounted filesystem from the next one. Its number alone does not: those of tmpfs,
// overlays and network filesystems are free again after an unmount, and given to the next mount.
struct Volume {
  std::uint64_t number = 0;
  std::uint64_t type = 0;
  std::uint64_t id = 0;
  bool operator==(const Volume&) const = default;
};

struct FileInfo {
  FileId id;
  bool regular = false;
  std::uint64_t size = 0;
};

enum class Access { read, readWrite };
enum class Links { follow, refuse };  // what a symbolic link as the last component does

// Gets one thread out of File::lock. request() may be called from any thread, any number of times,
// as long as the waiting thread has not been joined.
//
// POSIX: a signal that arrives between the check and the system call is lost, so whoever cancels
// calls request() again until the thread has left. Windows: an event, nothing is ever lost.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  void request();
  bool requested() const { return requested_.load(std::memory_order_acquire); }

 private:
  friend class File;
  std::atomic<bool> requested_{false};
  std::mutex mutex_;           // a signal is never sent to a thread that has left
  std::uintptr_t target_ = 0;  // POSIX: the blocked thread; Windows: the event
  int signal_ = 0;             // POSIX: what the blocked thread listens to
};

enum class LockResult { granted, busy, interrupted, failed };

// One open file description, and the lock that it may carry. Move-only; closes itself.
class File {
 public:
  File() = default;
  ~File() { close(); }
  File(File&& other) noexcept : handle_(std::exchange(other.handle_, kClosed)) {}
  File& operator=(File&& other) noexcept {
    if (this != &other) {
      close();
      handle_ = std::exchange(other.handle_, kClosed);
    }
    return *this;
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool isOpen() const { return handle_ != kClosed; }

  // Opens an existing file: close-on-exec, never blocking on a FIFO, never a terminal of ours.
  Failure open(const char* path, Access access, Links links);
  // Creates a file that must not exist yet (EEXIST otherwise), open for reading and writing.
  // mode < 0 leaves the permissions to the umask; otherwise they are exactly `mode`. If they cannot
  // be set the file is there, and open: whoever created it in vain and alone may remove it.
  Failure create(const char* path, int mode);
  void close();

  Failure info(FileInfo& out) const;
  // The volume of this file, whose id is known; false where nothing tells one from the next.
  bool volume(const FileId& id, Volume& out) const;

  // Whole-file advisory locks that belong to this open file description. lock() waits in the
  // kernel's queue, first come first served among waiters. One lock for one File, taken once:
  // turning shared into exclusive is not promised anywhere.
  LockResult tryLock(bool shared, Failure& failure);
  LockResult lock(bool shared, Interrupt& interrupt, Failure& failure);
  void unlock();

  Failure readAt(std::uint64_t offset, void* into, std::size_t size, std::size_t& got) const;
  Failure writeAt(std::uint64_t offset, const void* bytes, std::size_t size) const;
  Failure sync() const;  // contents and size are on the medium when this returns

  // The number by which a child process can inherit this open file description, and with it the
  // lock; -1 where files have none (docs/adr/0014-liveness-descriptor.md).
  int descriptor() const;

 private:
  static constexpr std::intptr_t kClosed = -1;
  std::intptr_t handle_ = kClosed;
};

// The file that a path names now; ENOENT when there is none.
Failure infoOf(const char* path, Links links, FileInfo& out);
// Reads a symbolic link. `found` is false for anything that is not one, a missing file included.
Failure readLink(const char* path, std::string& target, bool& found);
Failure removeFile(const char* path);
// Gives a file another name, in the place of whatever has that name; at no moment is there none.
Failure renameFile(const char* from, const char* to);
// Makes the directory entry of `path` durable. Windows cannot flush a directory: nothing happens.
Failure syncDirectoryOf(const char* path);

struct FilesystemInfo {
  std::string type;         // "ext4", "nfs4", "fuse.sshfs", "apfs", "NTFS"; "" when unknown
  std::string source;       // what is mounted: "/dev/vda", "server:/export"; "" when unknown
  std::uint64_t magic = 0;  // statfs f_type on Linux, 0 elsewhere
  bool remote = false;      // the system itself says that it is not local (macOS, Windows)
};
Failure filesystemOf(const char* path, FilesystemInfo& out);

// What a child does when we die. POSIX: nothing is done, a child keeps what it inherited. Windows:
// it dies with us, and so do those that it starts from now on (a kill-on-close job object), until
// outliveUs() lets all of them go.
Failure dieWithUs(int pid);
Failure outliveUs();

// When a process began, in milliseconds since 1970; false when the system does not tell.
bool processStart(int pid, double& epochMs);

std::uint64_t monotonicNs();  // does not count while the machine sleeps
std::uint64_t boottimeNs();   // does
std::uint64_t wallClockUs();  // microseconds since 1970
void sleepNs(std::uint64_t duration);
void yield();  // whoever else wants this processor goes first

// Whose clocks these are: a deadline by them means nothing after another boot, or in another time
// namespace (time_namespaces(7)). Empty where the system does not tell.
struct BootIdentity {
  std::string bootId;
  std::string timeNamespace;
  bool hostClock = false;  // boottimeNs() is that of all other processes of the host, too
};
BootIdentity bootIdentity();

// Set once, waited for by one thread.
class Event {
 public:
  Event();
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void set();
  bool wait(std::uint64_t timeoutNs);  // true when set

 private:
  void* state_;
};

// A joinable thread that takes no signal but the one Interrupt sends.
class Thread {
 public:
  Thread() = default;
  ~Thread() = default;
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  Failure start(void (*run)(void*), void* argument);
  void join();
  void detach();

 private:
  std::uintptr_t handle_ = 0;
};

}  // namespace holdfast::os
