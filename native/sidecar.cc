#include "sidecar.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "record.h"

namespace holdfast::sidecar {
namespace {

constexpr char kMagic[] = "holdfast1";
constexpr std::size_t kMagicSize = sizeof kMagic - 1;
constexpr std::size_t kWaitingOffset = 9;
constexpr std::size_t kStateOffset = 10;
constexpr std::size_t kSinceOffset = 12;
constexpr std::size_t kSinceDigits = 16;
constexpr std::size_t kHeaderSize = 12;  // as much as says whose file it is, and its state
constexpr char kHeld = 'H';
constexpr char kReleased = 'R';

// What a crash between creation and sign-in leaves: nothing, a part of the header, or the zeros of
// a file whose size reached the disk before its data did. Zeros of another size are somebody's
// data.
bool unfinished(const char* bytes, std::size_t size) {
  const bool zeros = (size == 0 || size == kSize) &&
                     std::all_of(bytes, bytes + size, [](char c) { return c == '\0'; });
  return zeros ||
         (size < kTextOffset && std::memcmp(bytes, kMagic, std::min(size, kMagicSize)) == 0);
}

bool readHeader(const os::File& file, char (&header)[kHeaderSize]) {
  std::size_t got = 0;
  return !file.readAt(0, header, sizeof header, got) && got == sizeof header &&
         std::memcmp(header, kMagic, kMagicSize) == 0;
}

}  // namespace

Contents read(const os::File& file) {
  Contents contents;
  char bytes[kSize];
  std::size_t got = 0;
  if (file.readAt(0, bytes, sizeof bytes, got)) return contents;
  if (unfinished(bytes, got)) {
    // A sidecar is never longer; a disk image may well begin with zeros.
    char beyond = 0;
    std::size_t more = 0;
    if (got == kSize && (file.readAt(kSize, &beyond, 1, more) || more != 0)) return contents;
    contents.owner = Owner::nobody;
    return contents;
  }
  if (got < kTextOffset || std::memcmp(bytes, kMagic, kMagicSize) != 0) return contents;
  contents.owner = Owner::ours;
  contents.waiting = bytes[kWaitingOffset];
  contents.held = bytes[kStateOffset] == kHeld;
  if (contents.held) {
    const char* begin = bytes + kTextOffset;
    const char* end = std::find(begin, static_cast<const char*>(bytes) + got, '\n');
    while (end > begin && end[-1] == ' ') --end;
    contents.text.assign(bytes + kSinceOffset, kSinceDigits);
    contents.text.append(1, ' ').append(begin, static_cast<std::size_t>(end - begin));
  }
  return contents;
}

Contents readAt(const char* path) {
  constexpr int kMaxLooks = 10;
  os::File file;
  os::FileInfo info;
  if (file.open(path, os::Access::read, os::Links::refuse) || file.info(info) || !info.regular) {
    return {};
  }
  Contents last = read(file);
  for (int look = 1; look < kMaxLooks; ++look) {
    Contents now = read(file);
    if (now.held == last.held && now.text == last.text) return now;
    last = std::move(now);
  }
  return last;
}

void signIn(const os::File& file, Owner before, const char* text, std::size_t size) {
  if (before == Owner::foreign) return;
  char bytes[kSize];
  std::memcpy(bytes, kMagic, kMagicSize);
  bytes[kWaitingOffset] = kNobody;
  bytes[kStateOffset] = kHeld;
  bytes[kSinceOffset - 1] = ' ';
  record::putDecimal(bytes + kSinceOffset, kSinceDigits, os::wallClockUs() / 1000);
  bytes[kTextOffset - 1] = '\n';
  size = std::min(size, kTextCapacity);
  std::memcpy(bytes + kTextOffset, text, size);
  std::memset(bytes + kTextOffset + size, ' ', kTextCapacity - size);
  bytes[kSize - 1] = '\n';
  const std::size_t from = before == Owner::ours ? kStateOffset : 0;
  file.writeAt(from, bytes + from, kSize - from);
}

char signOut(const os::File& file) {
  char header[kHeaderSize];
  // Read first: whoever overwrote the file while we held it keeps what they wrote.
  if (!readHeader(file, header)) return kNobody;
  file.writeAt(kStateOffset, &kReleased, 1);
  return header[kWaitingOffset];
}

char announceWaiter(const os::File& file) {
  char header[kHeaderSize];
  if (!readHeader(file, header)) return kNobody;
  // At random, and never the letter that stands there: two waiters that announce themselves in the
  // same moment are told apart, and a releaser can tell a new waiter from one that has left.
  const std::uint64_t random = os::monotonicNs() * 0x9e3779b97f4a7c15;
  char letter = static_cast<char>('a' + (random >> 32) % 26);
  if (letter == header[kWaitingOffset]) letter = static_cast<char>(letter - 'a' + 'A');
  file.writeAt(kWaitingOffset, &letter, 1);
  return letter;
}

void wipeWaiting(const os::File& file, char letter) {
  char header[kHeaderSize];
  if (readHeader(file, header) && header[kWaitingOffset] == letter) {
    file.writeAt(kWaitingOffset, &kNobody, 1);
  }
}

}  // namespace holdfast::sidecar
