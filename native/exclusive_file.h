// A file that is created by exactly one caller, complete or not at all.
#pragma once

#include <cstddef>

#include "os.h"

namespace holdfast {

// Creates `path` with these bytes; EEXIST when anything stands there already. `durable`: file and
// directory entry are on the medium when this returns. On any failure the file is gone again.
os::Failure createExclusiveFile(const char* path, const void* bytes, std::size_t size, bool durable,
                                int mode);

}  // namespace holdfast
