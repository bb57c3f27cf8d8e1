// What a lease's files say, as seen under the guard, and what a caller believes that they say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace holdfast {

struct Snapshot {
  std::optional<std::string> record;  // as far as record::kMaxSize + 1
  std::optional<std::string> freeze;
  bool alive = false;  // somebody holds the lock on the record's inode
  std::string note;    // how a lease before ended, as its release left it
};

// The numbers cross into JavaScript (src/transaction-request.ts has the same list).
enum class Expectation : std::uint32_t {
  anything = 0,
  absent = 1,  // no record
  same = 2,    // these very bytes
  own = 3,     // a record with the token and id of these bytes
};

struct Expected {
  Expectation record = Expectation::anything;
  std::string bytes;
  bool dead = false;                  // nobody may hold the record's inode
  bool minded = false;                // `freeze` matters
  std::optional<std::string> freeze;  // none: no freeze file

  bool matches(const Snapshot& found) const;
};

}  // namespace holdfast
