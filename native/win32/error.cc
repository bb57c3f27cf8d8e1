// One table for all verbs. It follows the C run-time's own mapping, so that a failed open gives the
// errno that fopen would have given, and refines it where the library must tell things apart:
// EBUSY is "somebody else has it open in a way that shuts us out, try later", EACCES is "never".
#include "error.h"

namespace holdfast::os {
namespace {

// Missing in the headers of MinGW-w64.
constexpr DWORD kVirusInfected = 225;
constexpr DWORD kVirusDeleted = 226;
constexpr DWORD kDirectoryNotSupported = 336;
constexpr DWORD kStoppedOnSymlink = 681;
constexpr DWORD kDiskQuotaExceeded = 1295;

struct Mapping {
  DWORD error;
  int code;
};

constexpr Mapping kMappings[] = {
    {ERROR_FILE_NOT_FOUND, ENOENT},
    {ERROR_PATH_NOT_FOUND, ENOENT},
    {ERROR_INVALID_DRIVE, ENOENT},
    {ERROR_BAD_NETPATH, ENOENT},
    {ERROR_BAD_NET_NAME, ENOENT},
    {ERROR_BAD_PATHNAME, ENOENT},
    {ERROR_INVALID_NAME, ENOENT},
    {ERROR_FILE_EXISTS, EEXIST},
    {ERROR_ALREADY_EXISTS, EEXIST},
    {ERROR_ACCESS_DENIED, EACCES},
    {ERROR_NETWORK_ACCESS_DENIED, EACCES},
    {ERROR_CANT_ACCESS_FILE, EACCES},
    {kVirusInfected, EACCES},
    {kVirusDeleted, EACCES},
    {ERROR_PRIVILEGE_NOT_HELD, EPERM},
    {ERROR_SHARING_VIOLATION, EBUSY},
    {ERROR_LOCK_VIOLATION, EBUSY},
    {ERROR_DELETE_PENDING, EBUSY},
    {ERROR_USER_MAPPED_FILE, EBUSY},
    {ERROR_BUSY, EBUSY},
    {ERROR_PIPE_BUSY, EBUSY},
    {ERROR_DISK_FULL, ENOSPC},
    {ERROR_HANDLE_DISK_FULL, ENOSPC},
    {kDiskQuotaExceeded, ENOSPC},  // the C run-time has no EDQUOT
    {ERROR_FILE_TOO_LARGE, EFBIG},
    {ERROR_WRITE_PROTECT, EROFS},
    {ERROR_TOO_MANY_OPEN_FILES, EMFILE},
    {ERROR_NOT_ENOUGH_MEMORY, ENOMEM},
    {ERROR_OUTOFMEMORY, ENOMEM},
    {ERROR_NO_SYSTEM_RESOURCES, ENOMEM},
    {ERROR_COMMITMENT_LIMIT, ENOMEM},
    {ERROR_NOT_ENOUGH_QUOTA, ENOMEM},
    {ERROR_WORKING_SET_QUOTA, ENOMEM},
    {ERROR_SHARING_BUFFER_EXCEEDED, ENOLCK},
    {ERROR_DIRECTORY, ENOTDIR},
    {kDirectoryNotSupported, EISDIR},
    {ERROR_DIR_NOT_EMPTY, ENOTEMPTY},
    {ERROR_NOT_SAME_DEVICE, EXDEV},
    {ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG},
    {ERROR_BUFFER_OVERFLOW, ENAMETOOLONG},
    {ERROR_CANT_RESOLVE_FILENAME, ELOOP},
    {kStoppedOnSymlink, ELOOP},
    {ERROR_NO_UNICODE_TRANSLATION, EILSEQ},
    {ERROR_INVALID_HANDLE, EBADF},
    {ERROR_INVALID_PARAMETER, EINVAL},
    {ERROR_NEGATIVE_SEEK, EINVAL},
    {ERROR_INVALID_FUNCTION, ENOSYS},
    {ERROR_CALL_NOT_IMPLEMENTED, ENOSYS},
    {ERROR_NOT_SUPPORTED, ENOTSUP},
    {ERROR_OPERATION_ABORTED, ECANCELED},
    {ERROR_NOT_READY, ENXIO},
    {ERROR_DEV_NOT_EXIST, ENXIO},
    {ERROR_BROKEN_PIPE, EPIPE},
};

using LastStatus = LONG(NTAPI*)();
constexpr LONG kStatusDeletePending = static_cast<LONG>(0xC0000056);

}  // namespace

int errnoOf(DWORD error) {
  for (const Mapping& mapping : kMappings) {
    if (mapping.error == error) return mapping.code;
  }
  return EIO;
}

bool isMissing(DWORD error) { return errnoOf(error) == ENOENT; }

bool isUnknownRequest(DWORD error) {
  return error == ERROR_INVALID_PARAMETER || error == ERROR_INVALID_FUNCTION ||
         error == ERROR_INVALID_LEVEL || error == ERROR_NOT_SUPPORTED ||
         error == ERROR_CALL_NOT_IMPLEMENTED;
}

DeletePending::DeletePending() {
  static void* const query =
      reinterpret_cast<void*>(GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "RtlGetLastNtStatus"));
  query_ = query;
}

bool DeletePending::after(DWORD error) const {
  if (error == ERROR_DELETE_PENDING) return true;
  return error == ERROR_ACCESS_DENIED && query_ != nullptr &&
         reinterpret_cast<LastStatus>(query_)() == kStatusDeletePending;
}

}  // namespace holdfast::os
