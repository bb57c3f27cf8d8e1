// libFuzzer on what the addon reads from files: a guard's counter and a record's token and
// identity.
//
// The seam (native/os.h) is a piece of memory here, so a run is a microsecond. The oracle reads the
// same bytes in its own way: what it takes for a whole counter or record has to be believed, and
// anything else must not be. A token is what the counter of this boot says, below a ceiling that
// was there; else it is above all that stood there, and synced before it is handed out. Some inputs
// are given the right form, some this boot, some a right checksum: nothing else would get far.
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
constexpr char kBoot[] = "cd2fdc9bc6b02255";  // FNV-1a of "boot", by another program
std::uint64_t uptimeNs = 0;
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
std::uint64_t boottimeNs() { return uptimeNs += 1'000; }
BootIdentity bootIdentity() { return {"boot", "", true}; }
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

// "holdguard1 " 20 digits " " 20 digits " " 16 of hex " " b|S " " 8 of hex
struct Counter {
  std::uint64_t ceiling = 0;
  std::uint64_t base = 0;
  bool ours = false;
};

std::optional<Counter> counterOf(const std::string& bytes) {
  if (bytes.size() < 80 || bytes.compare(0, 11, "holdguard1 ") != 0) return {};
  if (bytes.compare(72, 8, hexOf(crcOf(bytes.substr(0, 72)))) != 0) return {};
  if (bytes.find_first_not_of("0123456789abcdef", 53) < 69) return {};
  const auto ceiling = decimalOf(bytes.substr(11, 20));
  const auto base = decimalOf(bytes.substr(32, 20));
  if (!ceiling || !base) return {};
  return Counter{*ceiling, *base, bytes.compare(53, 16, kBoot) == 0 && bytes[70] == 'S'};
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

void expectToken(const Counter& counter, std::uint64_t floor) {
  const os::File file;
  std::optional<Guard> first(std::in_place, file, "guard");
  Guard& guard = *first;
  demand(!guard.read(), "memory can be read");
  demand(guard.note().size() <= Guard::kNoteCapacity, "a note is longer than its place");
  const std::uint64_t now = counter.base + uptimeNs / 16'000;
  const bool believed = counter.ours && now <= counter.ceiling && counter.ceiling - now <= 1 << 24;
  demand(guard.needsSync(floor) == !(believed && now > floor),
         "a counter is believed, or not, that is not to be");
  std::uint64_t token = 0;
  if (guard.nextToken(floor, token)) return;
  demand(token > floor, "a token is not above that of the record");
  if (medium.empty()) {
    demand(believed && token == now, "a token without a ceiling on the medium");
  } else {
    demand(token > counter.ceiling, "a token is not above what may have been handed out");
    const auto synced = counterOf(medium);
    demand(synced && synced->ceiling >= token, "a token above the ceiling on the medium");
    demand(!synced->ours, "a ceiling that is not on the medium yet would be believed");
  }
  first.reset();
  Guard later(file, "guard");
  demand(!later.read(), "memory can be read");
  std::uint64_t next = 0;
  demand(later.nextToken(0, next) || next > token, "the next token is not above");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const bool formed = (data[0] & 1) != 0;   // begins as it should, and has digits in their place
  const bool stamped = (data[0] & 2) != 0;  // has a right checksum
  const bool ours = (data[0] & 4) != 0;     // the counter is of this boot
  const bool near = (data[0] & 8) != 0;     // and its ceiling is near
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
  uptimeNs = 1'600'000'000;
  if (formed && contents.size() >= 80) {
    contents.replace(0, 11, "holdguard1 ");
    digitsAt(contents, 11);
    digitsAt(contents, 32);
  }
  if (ours && contents.size() >= 80) {
    contents.replace(53, 19, std::string(kBoot) + " S ");
    // The middle digits alone decide whether the ceiling is near enough.
    if (near) contents.replace(11, 13, contents, 32, 13);
  }
  if (stamped && contents.size() >= 80) {
    contents.replace(72, 8, hexOf(crcOf(contents.substr(0, 72))));
  }
  expectToken(counterOf(contents).value_or(Counter{}), floor);
  return 0;
}
