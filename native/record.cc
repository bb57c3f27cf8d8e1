#include "record.h"

#include <array>
#include <cstring>

namespace holdfast::record {
namespace {

constexpr char kHeader[] = "{\"holdfast\":";

// The polynomial of zlib and Ethernet, reflected. Bit by bit a record would take as long as a
// system call or two.
constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
    table[byte] = crc;
  }
  return table;
}();
void putHex(char* at, std::uint32_t value) {
  constexpr char kHex[] = "0123456789abcdef";
  for (std::size_t i = kCrcDigits; i-- > 0; value >>= 4) at[i] = kHex[value & 0xf];
}

}  // namespace

std::uint32_t crc32(const char* bytes, std::size_t size, std::uint32_t crc) {
  crc = ~crc;
  for (std::size_t i = 0; i < size; ++i) {
    crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<unsigned char>(bytes[i])) & 0xff];
  }
  return ~crc;
}

void putDecimal(char* at, std::size_t digits, std::uint64_t value) {
  for (std::size_t i = digits; i-- > 0; value /= 10) at[i] = static_cast<char>('0' + value % 10);
}

bool readDecimal(const char* at, std::size_t digits, std::uint64_t& value) {
  value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (at[i] < '0' || at[i] > '9') return false;
    const auto digit = static_cast<std::uint64_t>(at[i] - '0');
    if (value > (UINT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
  }
  return true;
}

std::uint32_t checksum(const std::string& bytes) {
  constexpr char kZeros[] = "00000000";
  const std::uint32_t before = crc32(bytes.data(), kCrcOffset);
  const std::uint32_t digits = crc32(kZeros, kCrcDigits, before);
  const std::size_t rest = kCrcOffset + kCrcDigits;
  return crc32(bytes.data() + rest, bytes.size() - rest, digits);
}

bool hasHeader(const std::string& bytes) {
  return bytes.size() > kIdentityEnd && std::memcmp(bytes.data(), kHeader, sizeof kHeader - 1) == 0;
}

std::uint64_t tokenOf(const std::string& bytes) {
  if (!hasHeader(bytes)) return 0;
  char expected[kCrcDigits];
  putHex(expected, checksum(bytes));
  if (std::memcmp(expected, bytes.data() + kCrcOffset, sizeof expected) != 0) return 0;
  std::uint64_t token = 0;
  return readDecimal(bytes.data() + kTokenOffset, kTokenDigits, token) ? token : 0;
}

void stampToken(std::string& bytes, std::uint64_t token) {
  putDecimal(bytes.data() + kTokenOffset, kTokenDigits, token);
}

void stampChecksum(std::string& bytes) { putHex(bytes.data() + kCrcOffset, checksum(bytes)); }

bool sameIdentity(const std::string& one, const std::string& other) {
  return one.size() >= kIdentityEnd && other.size() >= kIdentityEnd &&
         std::memcmp(one.data() + kTokenOffset, other.data() + kTokenOffset,
                     kIdentityEnd - kTokenOffset) == 0;
}

}  // namespace holdfast::record
