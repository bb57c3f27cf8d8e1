// Reading symbolic links and junctions.
//
// Win32 has no readlink. The target is in the file's reparse data, whose layout is documented with
// REPARSE_DATA_BUFFER (in the driver kit, so it is written down here again). Of the two names in
// it the "substitute name" is what the system follows; the "print name" may be empty or a lie. It
// is a native path, \??\C:\target, unless the link is relative.
//
// A volume mounted in a folder is a junction too, but names a volume and not another path: it is
// where its path ends, not a link.
#include <cstddef>
#include <cstring>

#include "open.h"
#include "path.h"

namespace holdfast::os {
namespace {

struct ReparseHeader {
  ULONG tag;
  USHORT length;
  USHORT reserved;
  USHORT substituteOffset;  // in bytes, from where the names begin
  USHORT substituteLength;
  USHORT printOffset;
  USHORT printLength;
};

// Symbolic links have a word of flags before the names, junctions do not.
constexpr std::size_t kJunctionNames = sizeof(ReparseHeader);
constexpr std::size_t kSymlinkNames = sizeof(ReparseHeader) + sizeof(ULONG);

bool substituteName(const char* data, std::size_t size, std::wstring& name) {
  ReparseHeader header;
  if (size < sizeof header) return false;
  std::memcpy(&header, data, sizeof header);
  std::size_t at;
  if (header.tag == IO_REPARSE_TAG_SYMLINK) {
    at = kSymlinkNames;
  } else if (header.tag == IO_REPARSE_TAG_MOUNT_POINT) {
    at = kJunctionNames;
  } else {
    return false;
  }
  at += header.substituteOffset;
  if (at + header.substituteLength > size) return false;
  name.resize(header.substituteLength / sizeof(wchar_t));
  std::memcpy(name.data(), data + at, name.size() * sizeof(wchar_t));
  return true;
}

bool isVolume(const std::wstring& name) { return name.compare(0, 11, L"\\??\\Volume{") == 0; }

}  // namespace

Failure readLink(const char* path, std::string& target, bool& found) {
  found = false;
  std::wstring wide;
  if (const Failure failure = toWide(path, wide)) {
    return failure.code == ENOENT ? Failure{} : failure;
  }
  const DeletePending pending;
  const DWORD attributes = GetFileAttributesW(wide.c_str());
  if (attributes == INVALID_FILE_ATTRIBUTES) {
    const DWORD error = GetLastError();
    if (isMissing(error) || pending.after(error)) return {};
    return failureOf(error, "GetFileAttributesW");
  }
  if ((attributes & FILE_ATTRIBUTE_REPARSE_POINT) == 0) return {};

  OpenRequest request;
  request.rights = FILE_READ_ATTRIBUTES;
  request.flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS;
  request.deleted = Deleted::missing;
  Handle file;
  if (const Failure failure = openPath(wide, request, file)) {
    return failure.code == ENOENT ? Failure{} : failure;
  }
  alignas(ReparseHeader) char data[MAXIMUM_REPARSE_DATA_BUFFER_SIZE];
  DWORD size = 0;
  if (!DeviceIoControl(file.get(), FSCTL_GET_REPARSE_POINT, nullptr, 0, data, sizeof data, &size,
                       nullptr)) {
    const DWORD error = GetLastError();
    if (error == ERROR_NOT_A_REPARSE_POINT) return {};  // replaced by a plain file meanwhile
    return failureOf(error, "DeviceIoControl");
  }
  std::wstring name;
  if (!substituteName(data, size, name) || name.empty() || isVolume(name)) return {};
  if (const Failure failure = toUtf8(withoutPrefix(name), target)) return failure;
  found = true;
  return {};
}

}  // namespace holdfast::os
