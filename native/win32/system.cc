// What the system knows about a filesystem and about a process, on Windows.
//
// A path tells little about where its file lies: C:\work may be a link to a share, and a drive
// letter may be a share or, with subst, a folder of another drive. So the path is resolved first,
// as far as it exists, and the volume and its drive type are asked for the result.
#include <cwchar>

#include "open.h"
#include "path.h"

namespace holdfast::os {
namespace {

constexpr std::uint64_t kTicksPerMs = 10'000;                       // of FILETIME, 100 ns each
constexpr std::uint64_t kUnixEpochTicks = 116'444'736'000'000'000;  // 1970 on the clock of 1601

bool finalPathOf(HANDLE file, std::wstring& out) {
  DWORD size = MAX_PATH;
  for (;;) {
    out.resize(size);
    // FILE_NAME_OPENED: to normalise a name every folder above it is opened, and on a server one
    // may lack the rights for that.
    const DWORD needed =
        GetFinalPathNameByHandleW(file, out.data(), size, FILE_NAME_OPENED | VOLUME_NAME_DOS);
    if (needed == 0) return false;
    if (needed < size) {
      out.resize(needed);
      return true;
    }
    size = needed;
  }
}

// The nearest thing on the way to `path` that exists, without links; `path` if nothing answers.
std::wstring resolve(const std::wstring& path) {
  std::wstring prefix = path;
  for (;;) {
    const Handle file(CreateFileW(prefix.c_str(), FILE_READ_ATTRIBUTES,
                                  FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                  OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr));
    const DWORD error = GetLastError();
    if (file) {
      std::wstring real;
      return finalPathOf(file.get(), real) ? real : path;
    }
    // Only what may succeed further up: a server that does not answer is not asked again and again.
    if (error != ERROR_FILE_NOT_FOUND && error != ERROR_PATH_NOT_FOUND &&
        error != ERROR_INVALID_NAME && error != ERROR_ACCESS_DENIED) {
      return path;
    }
    // "C:\work" opens, "C:\" does as well, "C:" would be the current folder of that drive: the
    // last step keeps its backslash, and the one after it stops.
    const std::size_t slash = prefix.find_last_of(L'\\', prefix.size() - 2);
    if (prefix.size() < 4 || slash == std::wstring::npos || slash < 2) return path;
    prefix.resize(prefix[slash - 1] == L':' ? slash + 1 : slash);
  }
}

// With its last backslash, as the functions below want it.
bool volumeRootOf(const std::wstring& path, std::wstring& root) {
  root.resize(path.size() + MAX_PATH);
  if (!GetVolumePathNameW(path.c_str(), root.data(), static_cast<DWORD>(root.size()))) return false;
  root.resize(std::wcslen(root.c_str()));
  return true;
}

}  // namespace

Failure filesystemOf(const char* path, FilesystemInfo& out) {
  out = {};
  std::wstring wide;
  if (const Failure failure = toWide(path, wide)) return failure;
  const std::wstring resolved = resolve(wide);
  std::wstring root;
  if (!volumeRootOf(resolved, root)) {
    const Failure failure = lastFailure("GetVolumePathNameW");
    out.remote = isUnc(resolved);  // that much is certain when the server is not to be reached
    return out.remote ? Failure{} : failure;
  }
  out.remote = isUnc(root) || GetDriveTypeW(root.c_str()) == DRIVE_REMOTE;
  // Where one of the two does not answer, the other is still worth knowing.
  wchar_t name[MAX_PATH + 1] = L"";
  if (GetVolumeInformationW(root.c_str(), nullptr, 0, nullptr, nullptr, nullptr, name,
                            MAX_PATH + 1)) {
    toUtf8(name, out.type);
  }
  toUtf8(withoutPrefix(root), out.source);
  return {};
}

bool processStart(int pid, double& epochMs) {
  if (pid <= 0) return false;
  const Handle process(
      OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, static_cast<DWORD>(pid)));
  if (!process) return false;
  // A process object outlives its process as long as somebody has a handle, and a parent does.
  DWORD code = 0;
  if (!GetExitCodeProcess(process.get(), &code) || code != STILL_ACTIVE) return false;
  FILETIME created;
  FILETIME unused;
  if (!GetProcessTimes(process.get(), &created, &unused, &unused, &unused)) return false;
  const std::uint64_t ticks =
      (static_cast<std::uint64_t>(created.dwHighDateTime) << 32) | created.dwLowDateTime;
  if (ticks < kUnixEpochTicks) return false;
  epochMs = static_cast<double>(ticks - kUnixEpochTicks) / kTicksPerMs;
  return true;
}

}  // namespace holdfast::os
