// The guard's contents: the fencing counter of one name, and a note on how its last lease ended.
//
// A token is `base` and the ticks of the boot-time clock, which only rises and is the same for all
// processes of the host: so tokens rise from process to process, and nobody has to write them down.
// It is believed in the boot that it was made for, and up to a ceiling that is on the medium.
// Beyond that, or in another boot, a process begins above the ceiling, and syncs a new one before
// the first token. To trust "the last token" in the file instead is wrong even within one boot: a
// disk that is unplugged loses what was not synced, and hands out the same tokens again. (ADR 16)
//
// While a new ceiling is on its way to the medium the guard names no boot, so that nobody believes
// it if we die there. The boot is written afterwards, without a sync: if that is lost, somebody
// syncs once more. Where there is no such clock (in a time namespace), or no name for a boot that
// no other has (on Windows), it names none, and each grant syncs.
//
// A guard is born with the wall clock in microseconds as its counter, and a tick is 16 of them. So
// if the folder is deleted, tokens still rise, unless the clock was set back by nearly as long as
// the guard was there. Its directory entry is synced before the first token, and 'b' becomes 'S'
// when that is done.
//
// The note is left by a release, and overwritten by the next grant: it only explains, and says
// itself which token it speaks of.
//
//   offset 0    "holdguard1 ", the ceiling and the base in 20 digits each, the boot in 16 digits of
//               hex, 'b' or 'S', CRC-32 of these in 8 digits of hex, a blank between each two,
//               '\n', blanks; in one sector, so it is written as a whole
//   offset 96   the note: one line of JSON, blanks up to 511, '\n'
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "os.h"

namespace holdfast {

class Guard {
 public:
  static constexpr std::size_t kNoteCapacity = 415;
  // The note while a lease is held: no end of one is known since it was granted.
  static constexpr char kTaken[] = "-";

  // `file` is locked by the caller for as long as this lives; `path` names it.
  Guard(const os::File& file, const char* path) : file_(file), path_(path) {}
  // Nobody is to be granted another token in the tick of ours, whatever became of it.
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  os::Failure read();

  const std::string& note() const { return note_; }
  // Without a sync, and without a word when it fails: it explains, it never decides.
  void leaveNote(const std::string& note) const;

  // Would the next token, above `floor`, cost a sync?
  bool needsSync(std::uint64_t floor) const { return !believed() || base_ + tick_ <= floor; }
  // The next token, above `floor` in any case. After a failure nothing is handed out.
  os::Failure nextToken(std::uint64_t floor, std::uint64_t& token);

 private:
  bool believed() const;
  os::Failure reserve(std::uint64_t first);
  os::Failure store() const;

  const os::File& file_;
  const char* path_;
  std::uint64_t ceiling_ = 0;
  std::uint64_t base_ = 0;
  std::uint64_t boot_ = 0;
  std::uint64_t tick_ = 0;  // when it was read
  bool ticked_ = false;     // the tick is that of a token
  bool entrySynced_ = false;
  std::string note_;
};

}  // namespace holdfast
