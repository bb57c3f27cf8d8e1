// Files, links and processes, as JavaScript asks about them. A failure of the system is a result,
// `{ errno, syscall }`; undefined stands for "none".
#include "exclusive_file.h"
#include "exports.h"
#include "sidecar.h"
#include "values.h"

namespace holdfast {

// (path): the text of the holder that the sidecar at `path` names, or undefined. Locks nothing.
napi_value readSidecar(const Call& call) {
  const Utf8 path(call, 0);
  if (!path.isPath()) return call.misuse("expected (path)");
  const sidecar::Contents contents = sidecar::readAt(path.text());
  return contents.held ? call.string(contents.text) : nullptr;
}

// (path, follow): a name for the file itself, the same for every path to it; undefined for none. A
// file that may not be looked at is no missing one.
napi_value identify(const Call& call) {
  const Utf8 path(call, 0);
  bool follow = false;
  if (!path.isPath() || !call.booleanAt(1, follow)) return call.misuse("expected (path, follow)");
  os::FileInfo info;
  const os::Links links = follow ? os::Links::follow : os::Links::refuse;
  if (const os::Failure failure = os::infoOf(path.text(), links, info)) {
    const bool missing = failure.code == ENOENT || failure.code == ENOTDIR;
    return missing ? nullptr : call.failure(failure);
  }
  const os::FileId& id = info.id;
  return call.string(std::to_string(id.volume) + ":" + std::to_string(id.high) + ":" +
                     std::to_string(id.low));
}

// (path): the target of a symbolic link, or undefined.
napi_value readLink(const Call& call) {
  const Utf8 path(call, 0);
  if (!path.isPath()) return call.misuse("expected (path)");
  std::string target;
  bool found = false;
  if (const os::Failure failure = os::readLink(path.text(), target, found)) {
    return call.failure(failure);
  }
  return found ? call.string(target) : nullptr;
}

// (path, bytes, durable, mode)
napi_value createExclusive(const Call& call) {
  const Utf8 path(call, 0);
  void* bytes = nullptr;
  NewFile wanted;
  if (!path.isPath() || !call.bytesAt(1, bytes, wanted.size) ||
      !call.booleanAt(2, wanted.durable) || !call.int32At(3, wanted.mode)) {
    return call.misuse("expected (path, Uint8Array, durable, mode)");
  }
  wanted.bytes = bytes;
  os::File file;
  const os::Failure failure = createExclusiveFile(file, path.text(), wanted);
  return failure ? call.failure(failure) : nullptr;
}

// (pid): milliseconds since 1970, or undefined.
napi_value processStart(const Call& call) {
  std::int32_t pid = 0;
  if (!call.int32At(0, pid)) return call.misuse("expected (pid)");
  double epochMs = 0;
  return os::processStart(pid, epochMs) ? call.number(epochMs) : nullptr;
}

// (pid): { errno, syscall } when it will not die with us.
napi_value dieWithUs(const Call& call) {
  std::int32_t pid = 0;
  if (!call.int32At(0, pid)) return call.misuse("expected (pid)");
  const os::Failure failure = os::dieWithUs(pid);
  return failure ? call.failure(failure) : nullptr;
}

// (): { errno, syscall } when those that would die with us still will.
napi_value outliveUs(const Call& call) {
  const os::Failure failure = os::outliveUs();
  return failure ? call.failure(failure) : nullptr;
}

// (path): { type, source, magic, remote }.
napi_value fsInfo(const Call& call) {
  const Utf8 path(call, 0);
  if (!path.isPath()) return call.misuse("expected (path)");
  os::FilesystemInfo filesystem;
  if (const os::Failure failure = os::filesystemOf(path.text(), filesystem)) {
    return call.failure(failure);
  }
  napi_value object = nullptr;
  napi_create_object(call.env(), &object);
  call.set(object, "type", call.string(filesystem.type));
  call.set(object, "source", call.string(filesystem.source));
  call.set(object, "magic", call.number(static_cast<double>(filesystem.magic)));
  call.set(object, "remote", call.boolean(filesystem.remote));
  return object;
}

}  // namespace holdfast
