#include "sight.h"

#include <algorithm>
#include <utility>

#include "record.h"

namespace holdfast {
namespace {

os::Failure readAll(const os::File& file, Sight& sight) {
  const std::uint64_t size = std::min<std::uint64_t>(sight.info.size, record::kMaxSize + 1);
  std::string bytes(static_cast<std::size_t>(size), '\0');
  std::size_t got = 0;
  if (const os::Failure failure = file.readAt(0, bytes.data(), bytes.size(), got)) return failure;
  bytes.resize(got);
  sight.bytes = std::move(bytes);
  return {};
}

}  // namespace

os::Failure see(const std::string& path, const LockHandle* own, Sight& sight) {
  // Most often there is nothing, and lstat(2) says so for half of what open(2) costs.
  os::Failure failure = os::infoOf(path.c_str(), os::Links::refuse, sight.info);
  if (failure.code == ENOENT) return {};
  if (failure) return failure;
  sight.regular = sight.info.regular;
  if (!sight.regular) return {};
  sight.own = own != nullptr && own->held() && own->id() == sight.info.id;
  if (sight.own) return readAll(own->file(), sight);
  // An outsider may have exchanged it in between, or whoever has the guard if we do not.
  failure = sight.file.open(path.c_str(), os::Access::read, os::Links::refuse);
  if (failure.code == ENOENT) return {};
  if (failure.code == ELOOP || failure.code == ENXIO || failure.code == EISDIR) {
    sight.regular = false;
    return {};
  }
  if (!failure) failure = sight.file.info(sight.info);
  if (failure) return failure;
  sight.regular = sight.info.regular;
  return sight.regular ? readAll(sight.file, sight) : os::Failure{};
}

}  // namespace holdfast
