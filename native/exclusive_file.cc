// O_CREAT|O_EXCL decides who creates; the kernel sees to it that it is one (open(2)).
//
// fsync of the file alone does not make its name durable: the directory has to be synced as well
// (fsync(2), "Calling fsync() does not necessarily ensure that the entry in the directory ...").
// After a failed sync the state on the medium is unknown, and a second fsync may well answer
// success for pages that were dropped. So nothing is retried: the file goes, and the caller begins
// anew.
#include "exclusive_file.h"

namespace holdfast {
namespace {

os::Failure fill(os::File& file, const NewFile& wanted) {
  os::Failure failure;
  if (wanted.locked) {
    const os::LockResult result = file.tryLock(false, failure);
    if (result == os::LockResult::busy) return {EBUSY, "flock"};  // an outsider's
    if (failure) return failure;
  }
  failure = file.writeAt(0, wanted.bytes, wanted.size);
  return failure || !wanted.durable ? failure : file.sync();
}

// Leaves the directory unsynced: perhaps the name is not the last one that the file gets.
os::Failure writeNewFile(os::File& file, const char* path, const NewFile& wanted) {
  os::Failure failure = file.create(path, wanted.mode);
  if (!file.isOpen()) return failure;
  if (!failure) failure = fill(file, wanted);
  if (failure) takeBack(file, path);
  return failure;
}

}  // namespace

void takeBack(const os::File& file, const char* path) {
  os::FileInfo ours;
  os::FileInfo named;
  if (file.info(ours) || os::infoOf(path, os::Links::refuse, named)) return;
  if (ours.id == named.id) os::removeFile(path);
}

os::Failure createExclusiveFile(os::File& file, const char* path, const NewFile& wanted) {
  os::Failure failure = writeNewFile(file, path, wanted);
  if (failure || !wanted.durable) return failure;
  failure = os::syncDirectoryOf(path);
  if (failure) takeBack(file, path);
  return failure;
}

os::Failure exchangeFile(os::File& file, const char* temporary, const char* path,
                         const NewFile& wanted) {
  os::Failure failure = writeNewFile(file, temporary, wanted);
  if (failure) return failure;
  failure = os::renameFile(temporary, path);
  if (failure) takeBack(file, temporary);
  return failure || !wanted.durable ? failure : os::syncDirectoryOf(path);
}

}  // namespace holdfast
