#include "guard.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <utility>

#include "record.h"

namespace holdfast {
namespace {

constexpr char kMagic[] = "holdguard1 ";
constexpr std::size_t kCeilingOffset = sizeof kMagic - 1;
constexpr std::size_t kCeilingDigits = 20;
constexpr std::size_t kEntryOffset = kCeilingOffset + kCeilingDigits + 1;
constexpr std::size_t kCrcOffset = kEntryOffset + 2;
constexpr std::size_t kHeaderEnd = kCrcOffset + 8;
constexpr std::size_t kNoteOffset = 64;
constexpr std::size_t kSize = kNoteOffset + Guard::kNoteCapacity + 1;
constexpr std::uint64_t kFirstRange = 64;
constexpr std::uint64_t kLargestRange = 4096;

// What this process has reserved. Direct-mapped: a name that loses its slot syncs once more.
struct Range {
  os::FileId guard;
  std::uint64_t ceiling = 0;  // the one that we wrote
  std::uint64_t last = 0;     // the last token that we handed out
  std::uint64_t size = 0;     // how many we reserved
};
constexpr std::size_t kSlots = 1024;
std::mutex mutex;
Range ranges[kSlots];

Range& slotOf(const os::FileId& guard) {
  return ranges[(guard.low * 31 + guard.high + guard.volume) % kSlots];
}

Range rangeOf(const os::FileId& guard) {
  const std::lock_guard<std::mutex> lock(mutex);
  const Range& range = slotOf(guard);
  return range.guard == guard ? range : Range{};
}

void remember(const Range& range) {
  const std::lock_guard<std::mutex> lock(mutex);
  slotOf(range.guard) = range;
}

void putChecksum(char* bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::uint32_t sum = record::crc32(bytes, kCrcOffset);
  for (std::size_t i = 8; i-- > 0; sum >>= 4) bytes[kCrcOffset + i] = kHex[sum & 0xf];
}

}  // namespace

os::Failure Guard::read() {
  char bytes[kSize];
  std::size_t got = 0;
  if (const os::Failure failure = file_.readAt(0, bytes, sizeof bytes, got)) return failure;
  char expected[kHeaderEnd];
  std::memcpy(expected, bytes, sizeof expected);
  putChecksum(expected);
  const bool whole = got >= kHeaderEnd && std::memcmp(bytes, expected, kHeaderEnd) == 0 &&
                     std::memcmp(bytes, kMagic, kCeilingOffset) == 0 &&
                     record::readDecimal(bytes + kCeilingOffset, kCeilingDigits, ceiling_);
  if (!whole) {
    // New, or damaged: born (again) with the wall clock, below.
    ceiling_ = 0;
    return {};
  }
  entrySynced_ = bytes[kEntryOffset] == 'S';
  const char* begin = bytes + std::min(kNoteOffset, got);
  const char* limit = bytes + std::min(kNoteOffset + kNoteCapacity, got);
  const char* end = std::find(begin, limit, '\n');
  while (end > begin && end[-1] == ' ') --end;
  note_.assign(begin, static_cast<std::size_t>(end - begin));
  return {};
}

void Guard::leaveNote(const std::string& note) const {
  char bytes[kNoteCapacity + 1];
  std::memset(bytes, ' ', sizeof bytes);
  note.copy(bytes, kNoteCapacity);
  bytes[kNoteCapacity] = '\n';
  file_.writeAt(kNoteOffset, bytes, sizeof bytes);
}

bool Guard::needsSync() const {
  const Range range = rangeOf(id_);
  return ceiling_ == 0 || range.ceiling != ceiling_ || range.last >= ceiling_ || !entrySynced_;
}

os::Failure Guard::nextToken(std::uint64_t floor, std::uint64_t& token) {
  Range range = rangeOf(id_);
  if (needsSync() || range.last < floor) {
    // Above what the file says, above what we handed out (a filesystem that went away under a
    // living process may have forgotten it), and for a new guard above what was before it.
    std::uint64_t above = std::max({ceiling_, range.last, floor});
    if (ceiling_ == 0) above = std::max(above, os::wallClockUs());
    const bool usedUp = ceiling_ != 0 && range.ceiling == ceiling_ && range.last == ceiling_;
    const std::uint64_t size = usedUp ? std::min(2 * range.size, kLargestRange) : kFirstRange;
    remember({id_, 0, range.last, 0});
    // Nothing is above these. A counter that began again at 0 would hand out all tokens once more.
    if (above > UINT64_MAX - size) return {EOVERFLOW, "token"};
    if (const os::Failure failure = reserve(above + size)) return failure;
    range = {id_, ceiling_, above, size};
  }
  token = ++range.last;
  remember(range);
  return {};
}

os::Failure Guard::reserve(std::uint64_t ceiling) {
  ceiling_ = ceiling;
  if (const os::Failure failure = store()) return failure;
  if (const os::Failure failure = file_.sync()) return failure;
  if (entrySynced_) return {};
  if (const os::Failure failure = os::syncDirectoryOf(path_)) return failure;
  // Not synced: if this is lost, somebody syncs the directory once more.
  entrySynced_ = true;
  return store();
}

os::Failure Guard::store() const {
  char bytes[kNoteOffset];
  std::memset(bytes, ' ', sizeof bytes);
  std::memcpy(bytes, kMagic, kCeilingOffset);
  record::putDecimal(bytes + kCeilingOffset, kCeilingDigits, ceiling_);
  bytes[kEntryOffset] = entrySynced_ ? 'S' : 'b';
  putChecksum(bytes);
  bytes[kHeaderEnd] = '\n';
  return file_.writeAt(0, bytes, sizeof bytes);
}

}  // namespace holdfast
