// The few bytes of a lease's record that the addon writes itself. Everything else in it is policy,
// and TypeScript's (src/record.ts has the same offsets).
//
//   {"holdfast":1,"crc":"xxxxxxxx","token":"dddddddddddddddddddd","id":"…32…",…}\n
//
// The token is only known under the guard, so it is stamped there, and the checksum after it. Token
// and id together say whose record it is: a renewal changes neither.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace holdfast::record {

constexpr std::size_t kCrcOffset = 21;
constexpr std::size_t kCrcDigits = 8;
constexpr std::size_t kTokenOffset = 40;
constexpr std::size_t kTokenDigits = 20;
constexpr std::size_t kIdOffset = 68;
constexpr std::size_t kIdDigits = 32;
constexpr std::size_t kIdentityEnd = kIdOffset + kIdDigits;

// Longer than any record; whatever stands there and is longer is damaged.
constexpr std::size_t kMaxSize = 65'536;

std::uint32_t crc32(const char* bytes, std::size_t size, std::uint32_t crc = 0);

// Writes `value` in decimal, padded with zeros.
void putDecimal(char* at, std::size_t digits, std::uint64_t value);
// Reads it back; false unless all of it is digits, of a number that fits.
bool readDecimal(const char* at, std::size_t digits, std::uint64_t& value);

// CRC-32 of all bytes, with the eight digits of the checksum itself taken as zeros.
std::uint32_t checksum(const std::string& bytes);
bool hasHeader(const std::string& bytes);
// The token of a whole record; 0 for anything else. What a damaged one says is not to be believed.
std::uint64_t tokenOf(const std::string& bytes);
void stampToken(std::string& bytes, std::uint64_t token);
void stampChecksum(std::string& bytes);

// Same token, same id.
bool sameIdentity(const std::string& one, const std::string& other);

}  // namespace holdfast::record
