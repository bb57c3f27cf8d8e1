// The guard's contents: the fencing counter of one name, and a note on how its last lease ended.
//
// No token is handed out before a ceiling at or above it has been synced. A process that needs one
// reserves a range with one sync and then serves itself from memory, as long as the guard still
// shows the ceiling that it wrote. Anybody else reserves anew, above that ceiling. So a lone
// process syncs once for many tokens, and two that take turns sync at each. Who has used up a range
// undisturbed reserves one of twice the size; what is skipped when somebody else comes is never
// more than what was used, and the first range (ADR 16). To trust "the last token" in the file
// instead is wrong even within one boot: a disk that is unplugged loses what was not synced, and
// hands out the same tokens again.
//
// A guard is born with the wall clock in microseconds as its counter. If the folder is deleted,
// tokens still rise, unless the clock was set back or a million tokens a second were handed out.
// Its directory entry is synced before the first token, and 'b' becomes 'S' when that is done.
//
// The note is left by a release and overwritten by the next one, a grant does not wipe it: it only
// explains, and says itself which token it speaks of.
//
//   offset 0    "holdguard1 ", the ceiling in 20 digits, ' ', 'b' or 'S', ' ', CRC-32 of these in 8
//               digits of hex, '\n', blanks; in one sector, so it is written as a whole
//   offset 64   the note: one line of JSON, blanks up to 511, '\n'
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "os.h"

namespace holdfast {

class Guard {
 public:
  static constexpr std::size_t kNoteCapacity = 447;
  // The note while a lease is held: no end of one is known since it was granted.
  static constexpr char kTaken[] = "-";

  // `file` is locked by the caller for as long as this lives; `path` names it.
  Guard(const os::File& file, const os::FileId& id, const char* path)
      : file_(file), id_(id), path_(path) {}

  os::Failure read();

  const std::string& note() const { return note_; }
  // Without a sync, and without a word when it fails: it explains, it never decides.
  void leaveNote(const std::string& note) const;

  // Would the next token cost a sync?
  bool needsSync() const;
  // The next token, above `floor` in any case. After a failure nothing is handed out, and the range
  // is forgotten.
  os::Failure nextToken(std::uint64_t floor, std::uint64_t& token);

 private:
  os::Failure reserve(std::uint64_t ceiling);
  os::Failure store() const;

  const os::File& file_;
  const os::FileId id_;
  const char* path_;
  std::uint64_t ceiling_ = 0;
  bool entrySynced_ = false;
  std::string note_;
};

}  // namespace holdfast
