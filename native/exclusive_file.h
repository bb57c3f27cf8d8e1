// A file that is created by exactly one caller, complete or not at all.
#pragma once

#include <cstddef>

#include "os.h"

namespace holdfast {

// What a new file is to be. `durable`: on the medium before the answer. `locked`: its lock, which
// belongs to the File, is taken before there is anything in it to be read.
struct NewFile {
  const void* bytes = nullptr;
  std::size_t size = 0;
  int mode = -1;
  bool durable = false;
  bool locked = false;
};

// Creates `path`; EEXIST when anything stands there already. On any failure the file is gone again.
os::Failure createExclusiveFile(os::File& file, const char* path, const NewFile& wanted);
// Creates `temporary` in the same way and gives it the name `path`, in the place of whatever has
// it. On a failure before that it is gone again; after it only the directory can fail to be synced.
os::Failure exchangeFile(os::File& file, const char* temporary, const char* path,
                         const NewFile& wanted);

// Removes what was created in vain, but only while the name is still its own: an outsider may have
// put another file there.
void takeBack(const os::File& file, const char* path);

}  // namespace holdfast
