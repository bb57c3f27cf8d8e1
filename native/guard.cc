#include "guard.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "record.h"

namespace holdfast {
namespace {

constexpr char kMagic[] = "holdguard1 ";
constexpr std::size_t kCeilingOffset = sizeof kMagic - 1;
constexpr std::size_t kDigits = 20;
constexpr std::size_t kBaseOffset = kCeilingOffset + kDigits + 1;
constexpr std::size_t kBootOffset = kBaseOffset + kDigits + 1;
constexpr std::size_t kBootDigits = 16;
constexpr std::size_t kEntryOffset = kBootOffset + kBootDigits + 1;
constexpr std::size_t kCrcOffset = kEntryOffset + 2;
constexpr std::size_t kCrcDigits = 8;
constexpr std::size_t kHeaderEnd = kCrcOffset + kCrcDigits;
constexpr std::size_t kNoteOffset = 96;
constexpr std::size_t kSize = kNoteOffset + Guard::kNoteCapacity + 1;

constexpr std::uint64_t kTickNs = 16'000;
// Tokens that a ceiling is ahead: how often there is a sync, and how many are skipped by whoever
// does not believe it. 4.5 minutes of ticks; and 8 ms where there was another boot, for then there
// may be two kinds of processes, which take turns (containers that have a boot id of their own).
// The counter would run away from the wall clock.
constexpr std::uint64_t kAhead = 1u << 24;
constexpr std::uint64_t kAheadOfOthers = 1u << 9;
constexpr int kMaxLooks = 100'000;  // at the clock, for a tick to pass; about 3 ms

std::uint64_t ticks() { return os::boottimeNs() / kTickNs; }

std::uint64_t lookAtBoot() {
  const os::BootIdentity identity = os::bootIdentity();
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char byte : identity.bootId) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  }
  return identity.hostClock ? hash : 0;
}

// The boot as a number (FNV-1a); 0 where the clock is not that of the whole host. Two threads may
// look at once, and see the same. Not a local static with an initializer: that takes a function of
// the C++ library, which bun and deno do not have (nostd.cc).
std::uint64_t thisBoot() {
  static std::atomic<bool> looked{false};
  static std::atomic<std::uint64_t> boot{0};
  if (!looked.load(std::memory_order_acquire)) {
    boot.store(lookAtBoot(), std::memory_order_relaxed);
    looked.store(true, std::memory_order_release);
  }
  return boot.load(std::memory_order_relaxed);
}

void putHex(char* at, std::size_t digits, std::uint64_t value) {
  constexpr char kHex[] = "0123456789abcdef";
  for (std::size_t i = digits; i-- > 0; value >>= 4) at[i] = kHex[value & 0xf];
}

bool readHex(const char* at, std::size_t digits, std::uint64_t& value) {
  value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const bool decimal = at[i] >= '0' && at[i] <= '9';
    if (!decimal && !(at[i] >= 'a' && at[i] <= 'f')) return false;
    value = value << 4 | static_cast<std::uint64_t>(decimal ? at[i] - '0' : at[i] - 'a' + 10);
  }
  return true;
}

void putChecksum(char* bytes) {
  putHex(bytes + kCrcOffset, kCrcDigits, record::crc32(bytes, kCrcOffset));
}

}  // namespace

os::Failure Guard::read() {
  tick_ = ticks();
  char bytes[kSize];
  std::size_t got = 0;
  if (const os::Failure failure = file_.readAt(0, bytes, sizeof bytes, got)) return failure;
  char expected[kHeaderEnd];
  std::memcpy(expected, bytes, sizeof expected);
  putChecksum(expected);
  const bool whole = got >= kHeaderEnd && std::memcmp(bytes, expected, kHeaderEnd) == 0 &&
                     std::memcmp(bytes, kMagic, kCeilingOffset) == 0 &&
                     record::readDecimal(bytes + kCeilingOffset, kDigits, ceiling_) &&
                     record::readDecimal(bytes + kBaseOffset, kDigits, base_) &&
                     readHex(bytes + kBootOffset, kBootDigits, boot_);
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

bool Guard::believed() const {
  const std::uint64_t token = base_ + tick_;
  return boot_ != 0 && boot_ == thisBoot() && entrySynced_ && token <= ceiling_ &&
         ceiling_ - token <= kAhead;
}

os::Failure Guard::nextToken(std::uint64_t floor, std::uint64_t& token) {
  token = base_ + tick_;
  if (!needsSync(floor)) {
    ticked_ = true;
    return {};
  }
  std::uint64_t above = std::max(ceiling_, floor);
  if (ceiling_ == 0) above = std::max(above, os::wallClockUs());
  // Nothing is above these. A counter that began again at 0 would hand out all tokens once more.
  if (above >= UINT64_MAX - kAhead) return {EOVERFLOW, "token"};
  token = above + 1;
  return reserve(token);
}

os::Failure Guard::reserve(std::uint64_t first) {
  const std::uint64_t boot = thisBoot();
  const bool ours = ceiling_ == 0 || boot_ == boot;
  ceiling_ = first + (boot == 0 ? 0 : ours ? kAhead : kAheadOfOthers);
  base_ = first - tick_;
  boot_ = 0;
  if (const os::Failure failure = store()) return failure;
  if (const os::Failure failure = file_.sync()) return failure;
  if (!entrySynced_) {
    if (const os::Failure failure = os::syncDirectoryOf(path_)) return failure;
    entrySynced_ = true;
  }
  boot_ = boot;
  ticked_ = boot != 0;
  return store();
}

// A clock that stands still (a library that fakes the time) must not keep the guard for ever: then
// nobody shall believe in it.
Guard::~Guard() {
  int looks = 0;
  while (ticked_ && ticks() <= tick_ && looks < kMaxLooks) ++looks;
  if (looks < kMaxLooks) return;
  boot_ = 0;
  store();
}

os::Failure Guard::store() const {
  char bytes[kNoteOffset];
  std::memset(bytes, ' ', sizeof bytes);
  std::memcpy(bytes, kMagic, kCeilingOffset);
  record::putDecimal(bytes + kCeilingOffset, kDigits, ceiling_);
  record::putDecimal(bytes + kBaseOffset, kDigits, base_);
  putHex(bytes + kBootOffset, kBootDigits, boot_);
  bytes[kEntryOffset] = entrySynced_ ? 'S' : 'b';
  putChecksum(bytes);
  bytes[kHeaderEnd] = '\n';
  return file_.writeAt(0, bytes, sizeof bytes);
}

}  // namespace holdfast
