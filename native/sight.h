// Sight: what stands at one path of a lease; read while the guard is held, but for a glance.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lock_handle.h"
#include "os.h"
#include "record.h"

namespace holdfast {

struct Sight {
  os::File file;  // open for reading if something regular is there, and it is not `own`
  os::FileInfo info;
  std::optional<std::string> bytes;  // as far as record::kMaxSize + 1; none: nothing is there
  bool regular = true;               // false: a directory, link, FIFO, ... is
  bool own = false;                  // it is the file that the given handle holds

  // Of a record; 0: it has none, or is none.
  std::uint64_t token() const { return bytes ? record::tokenOf(*bytes) : 0; }
};

// A failure is one of the system, not that there is nothing. The file that `own` holds is not
// opened again: as long as it is open its id is nobody else's, so the name says enough.
os::Failure see(const std::string& path, const LockHandle* own, Sight& sight);

}  // namespace holdfast
