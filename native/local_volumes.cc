#include "local_volumes.h"

namespace holdfast {

bool LocalVolumes::contains(const os::Volume& volume) const {
  for (std::size_t i = 0; i < count_ && i < kSize; ++i) {
    if (volumes_[i] == volume) return true;
  }
  return false;
}

bool LocalVolumes::contains(const os::File& file, const os::FileId& id) const {
  os::Volume volume;
  return file.volume(id, volume) && contains(volume);
}

void LocalVolumes::add(const os::File& file, const os::FileId& id) {
  os::Volume volume;
  if (!file.volume(id, volume) || contains(volume)) return;
  volumes_[count_ % kSize] = volume;
  ++count_;
}

}  // namespace holdfast
