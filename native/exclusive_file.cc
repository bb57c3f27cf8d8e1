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

os::Failure fill(const os::File& file, const char* path, const void* bytes, std::size_t size,
                 bool durable) {
  if (const os::Failure failure = file.writeAt(0, bytes, size)) return failure;
  if (!durable) return {};
  if (const os::Failure failure = file.sync()) return failure;
  return os::syncDirectoryOf(path);
}

// Only while the name is still ours: an outsider may have put another file there.
void takeBack(const os::File& file, const char* path) {
  os::FileInfo ours;
  os::FileInfo named;
  if (file.info(ours) || os::infoOf(path, os::Links::refuse, named)) return;
  if (ours.id == named.id) os::removeFile(path);
}

}  // namespace

os::Failure createExclusiveFile(const char* path, const void* bytes, std::size_t size, bool durable,
                                int mode) {
  os::File file;
  os::Failure failure = file.create(path, mode);
  if (!file.isOpen()) return failure;
  if (!failure) failure = fill(file, path, bytes, size, durable);
  if (failure) takeBack(file, path);
  return failure;
}

}  // namespace holdfast
