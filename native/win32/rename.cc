// Putting a file in the place of another.
//
// MoveFileExW replaces a file only if nobody has it open, however willingly it is shared. Windows
// 10 knows POSIX semantics (FILE_RENAME_INFORMATION_EX): the old file loses its name and lives on
// for those who have it open. That it may be read-only was added later, hence two attempts.
//
// Filesystems without them (FAT, some servers) get MoveFileExW, and if the old file is open the
// second best: it is moved aside, as in remove.cc, before the new one takes its name. For a moment
// nothing has the name then, and a crash in that moment leaves it so.
//
// A virus scanner that looks at either file makes all of this fail for a while. For the file that
// is to be replaced the error is then ERROR_ACCESS_DENIED as often as ERROR_SHARING_VIOLATION, so
// both are tried again, and a real lack of rights is only believed after half a second.
#include "rename.h"

#include <cstddef>
#include <cstring>
#include <memory>

#include "open.h"
#include "path.h"

namespace holdfast::os {
namespace {

constexpr auto kRenameInfoEx = static_cast<FILE_INFO_BY_HANDLE_CLASS>(22);

bool mayPass(DWORD error) {
  return error == ERROR_SHARING_VIOLATION || error == ERROR_ACCESS_DENIED;
}

bool exchange(HANDLE file, const std::wstring& to) {
  const Handle old(CreateFileW(to.c_str(), DELETE,
                               FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                               OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT, nullptr));
  if (!old) return false;
  // A file that is marked cannot be renamed, and one that cannot be marked must keep its name.
  if (!setDeleted(old.get(), true) || !setDeleted(old.get(), false)) return false;
  if (!moveAside(old.get(), to)) return false;
  const bool done = renameOpen(file, to, 0) == ERROR_SUCCESS;
  if (done) {
    setDeleted(old.get(), true);
  } else {
    renameOpen(old.get(), to, 0);
  }
  return done;
}

DWORD replace(HANDLE file, const std::wstring& from, const std::wstring& to) {
  DWORD error = renameOpen(file, to, kReplaceIfExists | kRenamePosix | kReplaceReadOnly);
  if (isUnknownRequest(error)) error = renameOpen(file, to, kReplaceIfExists | kRenamePosix);
  if (!isUnknownRequest(error)) return error;
  if (MoveFileExW(from.c_str(), to.c_str(), MOVEFILE_REPLACE_EXISTING)) return ERROR_SUCCESS;
  error = GetLastError();
  return mayPass(error) && exchange(file, to) ? ERROR_SUCCESS : error;
}

}  // namespace

DWORD renameOpen(HANDLE file, const std::wstring& to, DWORD flags) {
  const std::size_t bytes = to.size() * sizeof(wchar_t);
  const std::size_t size = sizeof(FILE_RENAME_INFO) + bytes;
  const std::unique_ptr<std::byte[]> buffer(new std::byte[size]());
  auto* info = reinterpret_cast<FILE_RENAME_INFO*>(buffer.get());
  // In the place of ReplaceIfExists, a byte that is all that older headers know.
  static_assert(offsetof(FILE_RENAME_INFO, RootDirectory) >= sizeof flags);
  std::memcpy(buffer.get(), &flags, sizeof flags);
  info->FileNameLength = static_cast<DWORD>(bytes);
  std::memcpy(info->FileName, to.data(), bytes);
  const FILE_INFO_BY_HANDLE_CLASS kind = flags == 0 ? FileRenameInfo : kRenameInfoEx;
  if (SetFileInformationByHandle(file, kind, info, static_cast<DWORD>(size))) return ERROR_SUCCESS;
  return GetLastError();
}

bool setDeleted(HANDLE file, bool deleted) {
  FILE_DISPOSITION_INFO info = {};
  info.DeleteFile = deleted;
  return SetFileInformationByHandle(file, FileDispositionInfo, &info, sizeof info);
}

bool moveAside(HANDLE file, const std::wstring& path) {
  LARGE_INTEGER ticks;
  QueryPerformanceCounter(&ticks);
  const std::wstring name =
      withPrefix(folderOf(path) + L"holdfast-" + std::to_wstring(GetCurrentProcessId()) + L"-" +
                 std::to_wstring(ticks.QuadPart) + L".deleted");
  return renameOpen(file, name, 0) == ERROR_SUCCESS;
}

Failure renameFile(const char* from, const char* to) {
  std::wstring source;
  std::wstring target;
  if (const Failure failure = toWide(from, source)) return failure;
  if (const Failure failure = toWide(to, target)) return failure;
  OpenRequest request;
  request.rights = DELETE;
  request.flags = FILE_FLAG_OPEN_REPARSE_POINT;  // the link, not what it names
  request.deleted = Deleted::missing;
  Handle file;
  if (const Failure failure = openPath(source, request, file)) return failure;

  const DeletePending pending;
  for (Patience patience;;) {
    const DWORD error = replace(file.get(), source, target);
    if (error == ERROR_SUCCESS) return {};
    const bool deleted = pending.after(error);
    if ((deleted || mayPass(error)) && patience.pause()) continue;
    return deleted ? Failure{EBUSY, "MoveFileExW"} : failureOf(error, "MoveFileExW");
  }
}

}  // namespace holdfast::os
