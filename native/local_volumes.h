// The volumes of local filesystems, so that each is judged once. Filled from JavaScript's verdict.
#pragma once

#include <cstddef>

#include "os.h"

namespace holdfast {

class LocalVolumes {
 public:
  bool contains(const os::File& file, const os::FileId& id) const;
  void add(const os::File& file, const os::FileId& id);

 private:
  bool contains(const os::Volume& volume) const;

  static constexpr std::size_t kSize = 8;
  os::Volume volumes_[kSize] = {};
  std::size_t count_ = 0;
};

}  // namespace holdfast
