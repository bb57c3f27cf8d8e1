// Two things make an open fail for a moment on Windows, and only there.
//
//   - Somebody has the file open without sharing it: virus scanners, indexers and backup programs
//     do, for some milliseconds after a file was written. ERROR_SHARING_VIOLATION.
//   - The file was deleted the old way while somebody has it open. The name is neither there nor
//     free until the last handle closes. STATUS_DELETE_PENDING.
//
// Both are tried again, with growing pauses, for half a second in all; a caller that still fails
// then is told EBUSY. Without the bound a program that keeps its document open exclusively would
// hang us for ever.
#include "open.h"

#include <algorithm>
#include <cstring>

namespace holdfast::os {
namespace {

constexpr DWORD kPatienceMs = 500;
constexpr DWORD kLongestPauseMs = 32;
constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

// The 128-bit identifiers of ReFS do not fit the older structure; FAT and old servers do not know
// the newer one.
FileId idOf(HANDLE file, const BY_HANDLE_FILE_INFORMATION& fallback) {
  FILE_ID_INFO info;
  FileId id;
  if (GetFileInformationByHandleEx(file, FileIdInfo, &info, sizeof info)) {
    id.volume = info.VolumeSerialNumber;
    std::memcpy(&id.low, info.FileId.Identifier, sizeof id.low);
    std::memcpy(&id.high, info.FileId.Identifier + sizeof id.low, sizeof id.high);
    return id;
  }
  id.volume = fallback.dwVolumeSerialNumber;
  id.low = (static_cast<std::uint64_t>(fallback.nFileIndexHigh) << 32) | fallback.nFileIndexLow;
  return id;
}

}  // namespace

bool Patience::pause() {
  // By the clock: a pause of 1 ms may well take 16.
  if (GetTickCount64() - start_ >= kPatienceMs) return false;
  Sleep(next_);
  next_ = std::min(next_ * 2, kLongestPauseMs);
  return true;
}

Failure openPath(const std::wstring& path, const OpenRequest& request, Handle& out) {
  const DeletePending pending;
  for (Patience patience;;) {
    // No security attributes: the handle is not inherited by child processes.
    out.reset(CreateFileW(path.c_str(), request.rights, kShareAll, nullptr, request.disposition,
                          request.flags, nullptr));
    if (out) return {};
    const DWORD error = GetLastError();
    const bool deleted = pending.after(error);
    if (deleted && request.deleted == Deleted::missing) return {ENOENT, "CreateFileW"};
    // Nothing can have a name that is not allowed, so looking for it finds nothing (ENOENT). For
    // somebody who wants to create it that would read as a missing folder.
    if (error == ERROR_INVALID_NAME && request.disposition == CREATE_NEW) {
      return {EINVAL, "CreateFileW"};
    }
    if (!deleted && error != ERROR_SHARING_VIOLATION) return failureOf(error, "CreateFileW");
    if (!patience.pause()) return {EBUSY, "CreateFileW"};
  }
}

DWORD flagsFor(Links links) {
  return links == Links::refuse ? static_cast<DWORD>(FILE_FLAG_OPEN_REPARSE_POINT) : 0;
}

DWORD reparseTagOf(HANDLE file) {
  // Pipes, consoles and filesystems without reparse points do not answer: they have none.
  FILE_ATTRIBUTE_TAG_INFO info;
  if (!GetFileInformationByHandleEx(file, FileAttributeTagInfo, &info, sizeof info)) return 0;
  return info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT ? info.ReparseTag : 0;
}

Failure infoOf(HANDLE file, FileInfo& out) {
  out = {};
  if (GetFileType(file) != FILE_TYPE_DISK) return {};
  BY_HANDLE_FILE_INFORMATION info;
  if (!GetFileInformationByHandle(file, &info)) return lastFailure("GetFileInformationByHandle");
  out.id = idOf(file, info);
  out.size = (static_cast<std::uint64_t>(info.nFileSizeHigh) << 32) | info.nFileSizeLow;
  // Not every reparse point is a link: deduplicated files and cloud placeholders are files.
  const bool link = (info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 &&
                    IsReparseTagNameSurrogate(reparseTagOf(file));
  out.regular = !link && (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0;
  return {};
}

}  // namespace holdfast::os
