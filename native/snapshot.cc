#include "snapshot.h"

#include "record.h"

namespace holdfast {

bool Expected::matches(const Snapshot& found) const {
  if (dead && found.alive) return false;
  if (minded && found.freeze != freeze) return false;
  switch (record) {
    case Expectation::anything:
      return true;
    case Expectation::absent:
      return !found.record;
    case Expectation::same:
      return found.record == bytes;
    case Expectation::own:
      return found.record && record::sameIdentity(*found.record, bytes);
  }
  return false;
}

}  // namespace holdfast
