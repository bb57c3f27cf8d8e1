// Opening, creating, reading and writing files on Windows. Locks are in lock.cc.
//
// Links. FILE_FLAG_OPEN_REPARSE_POINT opens a link itself instead of what it names; then the tag
// tells whether it was one. Only "name surrogates" (symbolic links, junctions, links made by WSL)
// stand for another path. Other reparse points (deduplicated, compressed or cloud files) are files,
// but opened this way they would show their bare placeholder: they are opened again, plainly, and
// must then still be the same file.
//
// Directories. FILE_FLAG_BACKUP_SEMANTICS lets them be opened, so that the caller gets to say "not
// a regular file" instead of an access error that sends people looking for permissions.
#include <algorithm>

#include "../os.h"
#include "open.h"
#include "overlapped.h"
#include "path.h"

namespace holdfast::os {
namespace {

constexpr DWORD kFileFlags = FILE_FLAG_OVERLAPPED | FILE_FLAG_BACKUP_SEMANTICS;
constexpr std::size_t kLargestTransfer = std::size_t{1} << 30;  // sizes are 32 bits wide

Failure openThrough(const std::wstring& path, OpenRequest request, Handle& file) {
  FileInfo before;
  FileInfo after;
  if (const Failure failure = infoOf(file.get(), before)) return failure;
  request.flags = kFileFlags;
  if (const Failure failure = openPath(path, request, file)) return failure;
  if (const Failure failure = infoOf(file.get(), after)) return failure;
  // It was exchanged in between, perhaps for a link that has now been followed.
  return before.id == after.id ? Failure{} : Failure{ELOOP, "CreateFileW"};
}

}  // namespace

Failure File::open(const char* path, Access access, Links links) {
  std::wstring wide;
  if (const Failure failure = toWide(path, wide)) return failure;
  OpenRequest request;
  request.rights = GENERIC_READ | (access == Access::readWrite ? GENERIC_WRITE : 0);
  request.flags = kFileFlags | flagsFor(links);
  Handle file;
  if (const Failure failure = openPath(wide, request, file)) return failure;
  if (links == Links::refuse) {
    const DWORD tag = reparseTagOf(file.get());
    if (IsReparseTagNameSurrogate(tag)) return {ELOOP, "CreateFileW"};
    if (tag != 0) {
      if (const Failure failure = openThrough(wide, request, file)) return failure;
    }
  }
  close();
  handle_ = reinterpret_cast<std::intptr_t>(file.release());
  return {};
}

// The mode has no counterpart here: new files inherit the access list of their folder. The one bit
// that Windows knows, read-only, would make a lock file that nobody can open for writing again.
Failure File::create(const char* path, int) {
  std::wstring wide;
  if (const Failure failure = toWide(path, wide)) return failure;
  OpenRequest request;
  request.rights = GENERIC_READ | GENERIC_WRITE;
  request.disposition = CREATE_NEW;
  // Without it a dangling link would be followed, and the file created where the link points.
  request.flags = FILE_FLAG_OVERLAPPED | FILE_FLAG_OPEN_REPARSE_POINT | FILE_ATTRIBUTE_NORMAL;
  Handle file;
  if (const Failure failure = openPath(wide, request, file)) return failure;
  close();
  handle_ = reinterpret_cast<std::intptr_t>(file.release());
  return {};
}

void File::close() {
  if (handle_ == kClosed) return;
  // LockFileEx: locks that a closed file leaves behind go away when the system finds the time.
  unlock();
  CloseHandle(asHandle(handle_));
  handle_ = kClosed;
}

Failure File::info(FileInfo& out) const { return os::infoOf(asHandle(handle_), out); }

// A share has the serial number of the disk behind it, which may be the local one (\\localhost\c$)
// or a clone of it. It is judged each time.
bool File::volume(const FileId& id, Volume& out) const {
  FILE_REMOTE_PROTOCOL_INFO remote;
  out = {id.volume, 0, 0};
  return !GetFileInformationByHandleEx(asHandle(handle_), FileRemoteProtocolInfo, &remote,
                                       sizeof remote);
}

Failure File::readAt(std::uint64_t offset, void* into, std::size_t size, std::size_t& got) const {
  got = 0;
  const HANDLE file = asHandle(handle_);
  while (got < size) {
    Overlapped request(offset + got);
    if (!request.ready()) return lastFailure("CreateEventW");
    const DWORD wanted = static_cast<DWORD>(std::min(size - got, kLargestTransfer));
    DWORD bytes = 0;
    const BOOL done =
        ReadFile(file, static_cast<char*>(into) + got, wanted, nullptr, request.get());
    const DWORD error = request.finish(file, done, bytes);
    if (error == ERROR_HANDLE_EOF) break;
    if (error != ERROR_SUCCESS) return failureOf(error, "ReadFile");
    if (bytes == 0) break;
    got += bytes;
  }
  return {};
}

Failure File::writeAt(std::uint64_t offset, const void* bytes, std::size_t size) const {
  const HANDLE file = asHandle(handle_);
  for (std::size_t done = 0; done < size;) {
    Overlapped request(offset + done);
    if (!request.ready()) return lastFailure("CreateEventW");
    const DWORD wanted = static_cast<DWORD>(std::min(size - done, kLargestTransfer));
    DWORD written = 0;
    const BOOL ended =
        WriteFile(file, static_cast<const char*>(bytes) + done, wanted, nullptr, request.get());
    const DWORD error = request.finish(file, ended, written);
    if (error != ERROR_SUCCESS) return failureOf(error, "WriteFile");
    // A write that makes no progress and names no reason would loop for ever.
    if (written == 0) return {EIO, "WriteFile"};
    done += written;
  }
  return {};
}

Failure File::sync() const {
  return FlushFileBuffers(asHandle(handle_)) ? Failure{} : lastFailure("FlushFileBuffers");
}

// Handles can be inherited, but a file lock of Windows belongs to its process, not to the handle.
int File::descriptor() const { return -1; }

Failure infoOf(const char* path, Links links, FileInfo& out) {
  std::wstring wide;
  if (const Failure failure = toWide(path, wide)) return failure;
  OpenRequest request;
  // Asking for attributes alone collides with no sharing mode.
  request.rights = FILE_READ_ATTRIBUTES;
  request.flags = FILE_FLAG_BACKUP_SEMANTICS | flagsFor(links);
  // The caller may be the one whose open handle keeps the deleted name alive: waiting for it to go
  // would be waiting for ourselves.
  request.deleted = Deleted::missing;
  Handle file;
  if (const Failure failure = openPath(wide, request, file)) return failure;
  return infoOf(file.get(), out);
}

// A directory cannot be flushed; NTFS journals its entries.
Failure syncDirectoryOf(const char*) { return {}; }

}  // namespace holdfast::os
