// Removing a file so that its name is free at once, whoever still has it open.
//
// DeleteFileW used to leave a file that is open somewhere behind under its name, unopenable, until
// the last handle closed: a lock file could be neither removed nor made anew meanwhile. Windows 10
// knows POSIX semantics (FILE_DISPOSITION_INFO_EX): the name goes when the deleting handle closes.
// Filesystems without them (FAT, some servers) get the second best: the file is renamed to a name
// that nobody looks for, and deleted under that. A crash in between leaves
// "holdfast-PID-TICKS.deleted" behind, which anybody may remove. Whether the file may be deleted at
// all (not when it is read-only) is tried first, for a removal that fails must leave the name
// alone.
#include "open.h"
#include "path.h"
#include "rename.h"

namespace holdfast::os {
namespace {

// Defined here, because headers offer them only when told that no older Windows matters.
constexpr auto kDispositionInfoEx = static_cast<FILE_INFO_BY_HANDLE_CLASS>(21);
constexpr DWORD kDelete = 0x1;
constexpr DWORD kPosixSemantics = 0x2;
constexpr DWORD kIgnoreReadOnly = 0x10;  // unlink(2) does not ask for the file's permissions either

}  // namespace

Failure removeFile(const char* path) {
  std::wstring wide;
  if (const Failure failure = toWide(path, wide)) return failure;
  OpenRequest request;
  request.rights = DELETE;
  request.flags = FILE_FLAG_OPEN_REPARSE_POINT;  // the link, not what it names
  request.deleted = Deleted::missing;
  Handle file;
  if (const Failure failure = openPath(wide, request, file)) return failure;

  DWORD flags = kDelete | kPosixSemantics | kIgnoreReadOnly;
  if (SetFileInformationByHandle(file.get(), kDispositionInfoEx, &flags, sizeof flags)) return {};
  if (!isUnknownRequest(GetLastError())) return lastFailure("SetFileInformationByHandle");

  if (!setDeleted(file.get(), true)) return lastFailure("SetFileInformationByHandle");
  // A file that is marked cannot be renamed. When that fails the file is deleted all the same; its
  // name is then free a little later.
  if (setDeleted(file.get(), false)) moveAside(file.get(), wide);
  if (!setDeleted(file.get(), true)) return lastFailure("SetFileInformationByHandle");
  return {};
}

}  // namespace holdfast::os
