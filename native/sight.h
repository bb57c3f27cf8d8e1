// Sight: what stands at one path of a lease, read while the guard is held.
#pragma once

#include <optional>
#include <string>

#include "lock_handle.h"
#include "os.h"

namespace holdfast {

struct Sight {
  os::File file;  // open for reading if something regular is there, and it is not `own`
  os::FileInfo info;
  std::optional<std::string> bytes;  // as far as record::kMaxSize + 1; none: nothing is there
  bool regular = true;               // false: a directory, link, FIFO, ... is
  bool own = false;                  // it is the file that the given handle holds
};

// A failure is one of the system, not that there is nothing. The file that `own` holds is not
// opened again: as long as it is open its id is nobody else's, so the name says enough.
os::Failure see(const std::string& path, const LockHandle* own, Sight& sight);

}  // namespace holdfast
