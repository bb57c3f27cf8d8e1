// What the system knows about a filesystem and about a process, on Linux and macOS.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../os.h"

#ifdef __APPLE__
#include <sys/mount.h>
#include <sys/param.h>
#include <sys/sysctl.h>
#else
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#endif

namespace holdfast::os {

Failure dieWithUs(int) { return {}; }
Failure outliveUs() { return {}; }

#ifdef __APPLE__

Failure filesystemOf(const char* path, FilesystemInfo& out) {
  struct statfs fs;
  if (::statfs(path, &fs) == -1) return {errno, "statfs"};
  out.type = fs.f_fstypename;
  out.source = fs.f_mntfromname;
  out.remote = (fs.f_flags & MNT_LOCAL) == 0;
  return {};
}

bool File::volume(const FileId& id, Volume& out) const {
  struct statfs fs;
  if (::fstatfs(static_cast<int>(handle_), &fs) == -1 || (fs.f_flags & MNT_LOCAL) == 0) {
    return false;
  }
  out = {id.volume, fs.f_type, 0};
  std::memcpy(&out.id, &fs.f_fsid, sizeof out.id);
  return true;
}

bool processStart(int pid, double& epochMs) {
  int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid};
  struct kinfo_proc info;
  std::size_t size = sizeof info;
  if (::sysctl(name, 4, &info, &size, nullptr, 0) == -1 || size == 0) return false;
  const timeval started = info.kp_proc.p_starttime;
  epochMs =
      static_cast<double>(started.tv_sec) * 1000 + static_cast<double>(started.tv_usec) / 1000;
  return true;
}

BootIdentity bootIdentity() {
  char text[64] = {};
  std::size_t size = sizeof text - 1;
  if (::sysctlbyname("kern.bootsessionuuid", text, &size, nullptr, 0) == -1) return {};
  return {text, "", text[0] != '\0'};
}

#else

namespace {

// Files under /proc say nothing of their size: read until the end.
bool readProc(const char* path, std::string& out) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd == -1) return false;
  char buffer[4096];
  ssize_t n;
  while ((n = ::read(fd, buffer, sizeof buffer)) > 0)
    out.append(buffer, static_cast<std::size_t>(n));
  ::close(fd);
  return n == 0;
}

// The word that starts at `at`, which is moved behind it; "" at the end of the line.
std::string nextWord(const std::string& text, std::size_t& at) {
  while (at < text.size() && text[at] == ' ') ++at;
  const std::size_t start = at;
  while (at < text.size() && text[at] != ' ' && text[at] != '\n') ++at;
  return text.substr(start, at - start);
}

// proc(5), /proc/PID/mountinfo: "36 35 98:0 /root /mount opts [tags] - type source superopts".
// The last mount of a device is as good as any: type and source are the same for all of them.
void findMount(dev_t device, FilesystemInfo& out) {
  std::string mounts;
  if (!readProc("/proc/self/mountinfo", mounts)) return;
  char wanted[48];
  std::snprintf(wanted, sizeof wanted, "%u:%u", major(device), minor(device));
  for (std::size_t line = 0; line < mounts.size();) {
    std::size_t end = mounts.find('\n', line);
    if (end == std::string::npos) end = mounts.size();
    std::size_t at = line;
    nextWord(mounts, at);
    nextWord(mounts, at);
    if (nextWord(mounts, at) == wanted) {
      const std::size_t dash = mounts.find(" - ", at);
      if (dash != std::string::npos && dash < end) {
        at = dash + 3;
        out.type = nextWord(mounts, at);
        out.source = nextWord(mounts, at);
      }
    }
    line = end + 1;
  }
}

}  // namespace

Failure filesystemOf(const char* path, FilesystemInfo& out) {
  struct statfs fs;
  if (::statfs(path, &fs) == -1) return {errno, "statfs"};
  out.magic = static_cast<std::uint64_t>(static_cast<unsigned long>(fs.f_type));
  struct stat st;
  if (::stat(path, &st) == -1) return {errno, "stat"};
  findMount(st.st_dev, out);
  return {};
}

// A filesystem without a device, as most network ones, has a number with major 0. Its type and id
// are asked each time, for half a microsecond. Those of a disk are not: another one may get its
// number, but what is mounted from it is local too (a cluster's shared disk would have to take the
// place of one that was unplugged). Under FUSE type and id say nothing.
bool File::volume(const FileId& id, Volume& out) const {
  constexpr std::uint64_t kFuse = 0x65735546;  // statfs(2)
  out = {id.volume, 0, 0};
  if (major(static_cast<dev_t>(id.volume)) != 0) return true;
  struct statfs fs;
  if (::fstatfs(static_cast<int>(handle_), &fs) == -1) return false;
  out.type = static_cast<std::uint64_t>(static_cast<unsigned long>(fs.f_type));
  static_assert(sizeof fs.f_fsid == sizeof out.id);
  std::memcpy(&out.id, &fs.f_fsid, sizeof out.id);
  return out.type != kFuse;
}

// Field 22 of /proc/PID/stat counts clock ticks since boot; "btime" in /proc/stat is the boot in
// seconds since 1970. The second field is a name in parentheses that may itself hold blanks.
bool processStart(int pid, double& epochMs) {
  std::string stat;
  std::string system;
  if (!readProc(("/proc/" + std::to_string(pid) + "/stat").c_str(), stat)) return false;
  if (!readProc("/proc/stat", system)) return false;
  const std::size_t boot = system.find("\nbtime ");
  std::size_t at = stat.rfind(')');
  if (boot == std::string::npos || at == std::string::npos) return false;
  ++at;
  std::string ticks;
  for (int field = 3; field <= 22; ++field) ticks = nextWord(stat, at);
  if (ticks.empty()) return false;
  const double perSecond = static_cast<double>(::sysconf(_SC_CLK_TCK));
  epochMs = std::strtod(system.c_str() + boot + 7, nullptr) * 1000 +
            std::strtod(ticks.c_str(), nullptr) / perSecond * 1000;
  return true;
}

BootIdentity bootIdentity() {
  BootIdentity identity;
  readProc("/proc/sys/kernel/random/boot_id", identity.bootId);
  while (!identity.bootId.empty() && identity.bootId.back() == '\n') identity.bootId.pop_back();
  bool found = false;
  readLink("/proc/self/ns/time", identity.timeNamespace, found);
  // The number of the first namespace is the kernel's ABI (PROC_TIME_INIT_INO). That of another one
  // may come again when it is gone, with a clock that lags behind. Where mounts have namespaces and
  // clocks have none, the kernel is built without the latter.
  bool others = false;
  std::string mounts;
  readLink("/proc/self/ns/mnt", mounts, others);
  const bool first = found ? identity.timeNamespace == "time:[4026531834]" : others;
  identity.hostClock = first && !identity.bootId.empty();
  return identity;
}

#endif

}  // namespace holdfast::os
