// libFuzzer on what the addon reads from files: a guard's counter and a record's token and
// identity.
//
// The seam (native/os.h) is a piece of memory here, so a run is a microsecond. The oracle reads the
// same bytes in its own way: what it takes for a whole counter or record has to be believed, and
// anything else must not be; whatever stood there, a token is above it, and synced before it is
// handed out. Some inputs are given the right form, some a right checksum: nothing else would get
// far.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "guard.h"
#include "record.h"
#include "snapshot.h"

namespace {
std::string contents;
std::string medium;
constexpr std::uint64_t kClockUs = 1'700'000'000'000'000;
}  // namespace

namespace holdfast::os {
void File::close() { handle_ = kClosed; }
Failure File::readAt(std::uint64_t offset, void* into, std::size_t size, std::size_t& got) const {
  const std::size_t from = std::min<std::size_t>(offset, contents.size());
  got = contents.copy(static_cast<char*>(into), size, from);
  return {};
}
Failure File::writeAt(std::uint64_t offset, const void* bytes, std::size_t size) const {
  if (contents.size() < offset + size) contents.resize(offset + size, '\0');
  std::memcpy(contents.data() + offset, bytes, size);
  return {};
}
Failure File::sync() const {
  medium = contents;
  return {};
}
Failure syncDirectoryOf(const char*) { return {}; }
std::uint64_t wallClockUs() { return kClockUs; }
}  // namespace holdfast::os

namespace {

using holdfast::Guard;
namespace os = holdfast::os;
namespace record = holdfast::record;

void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "oracle: %s\n", what);
  std::abort();
}

// Bit by bit, as the polynomial is written.
std::uint32_t crcOf(const std::string& bytes) {
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1)));
  }
  return ~crc;
}

std::string hexOf(std::uint32_t value) {
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08x", value);
  return digits;
}

std::optional<std::uint64_t> decimalOf(const std::string& digits) {
  std::uint64_t value = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return {};
    if (__builtin_mul_overflow(value, 10u, &value)) return {};
    if (__builtin_add_overflow(value, static_cast<unsigned>(digit - '0'), &value)) return {};
  }
  return value;
}

// "holdguard1 " 20 digits " " b|S " " 8 digits of hex
std::optional<std::uint64_t> ceilingOf(const std::string& bytes) {
  if (bytes.size() < 42 || bytes.compare(0, 11, "holdguard1 ") != 0) return {};
  if (bytes.compare(34, 8, hexOf(crcOf(bytes.substr(0, 34)))) != 0) return {};
  return decimalOf(bytes.substr(11, 20));
}

std::optional<std::uint64_t> tokenOf(const std::string& bytes) {
  if (bytes.size() <= 100 || bytes.compare(0, 12, "{\"holdfast\":") != 0) return {};
  std::string zeroed = bytes;
  zeroed.replace(21, 8, "00000000");
  if (bytes.compare(21, 8, hexOf(crcOf(zeroed))) != 0) return {};
  return decimalOf(bytes.substr(40, 20));
}

void digitsAt(std::string& bytes, std::size_t offset) {
  for (std::size_t i = offset; i < offset + 20; ++i) {
    bytes[i] = static_cast<char>('0' + static_cast<unsigned char>(bytes[i]) % 10);
  }
}

void expectTokenAbove(std::uint64_t ceiling, std::uint64_t floor) {
  static std::uint64_t files = 0;
  const os::File file;
  Guard guard(file, {1, 2, ++files}, "guard");
  demand(!guard.read(), "memory can be read");
  demand(guard.note().size() <= Guard::kNoteCapacity, "a note is longer than its place");
  demand(guard.needsSync(), "a token of somebody else's range");
  std::uint64_t token = 0;
  if (guard.nextToken(floor, token)) return;
  demand(token > ceiling && token > floor, "a token is not above what was there");
  const auto synced = ceilingOf(medium);
  demand(synced && *synced >= token, "a token without a ceiling on the medium");
  std::uint64_t next = 0;
  demand(!guard.nextToken(token, next) && next > token, "the next token is not above");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const bool formed = (data[0] & 1) != 0;   // begins as it should, and has digits in their place
  const bool stamped = (data[0] & 2) != 0;  // has a right checksum
  std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);

  std::string text = bytes;
  if (formed && text.size() > record::kIdentityEnd) {
    text.replace(0, 12, "{\"holdfast\":");
    digitsAt(text, record::kTokenOffset);
  }
  if (stamped && text.size() > record::kIdentityEnd) record::stampChecksum(text);
  const std::uint64_t floor = record::tokenOf(text);
  demand(floor == tokenOf(text).value_or(0), "the token of a record is read in another way");
  demand(!record::sameIdentity(text, bytes) || text.compare(40, 60, bytes, 40, 60) == 0,
         "two that are not the same");
  holdfast::Snapshot found;
  found.record = text;
  holdfast::Expected expected;
  expected.record = holdfast::Expectation::own;
  expected.bytes = std::string(200, 'x');
  demand(!expected.matches(found) || text.compare(40, 60, std::string(60, 'x')) == 0,
         "somebody else's record is ours");

  contents = bytes;
  medium.clear();
  if (formed && contents.size() >= 42) {
    contents.replace(0, 11, "holdguard1 ");
    digitsAt(contents, 11);
  }
  if (stamped && contents.size() >= 42) {
    contents.replace(34, 8, hexOf(crcOf(contents.substr(0, 34))));
  }
  const std::uint64_t ceiling = ceilingOf(contents).value_or(0);
  expectTokenAbove(ceiling, floor);
  return 0;
}
