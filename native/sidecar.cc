#include "sidecar.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace holdfast::sidecar {
namespace {

constexpr char kMagic[] = "holdfast1";
constexpr std::size_t kMagicSize = sizeof kMagic - 1;
constexpr std::size_t kWaitingOffset = 9;
constexpr std::size_t kStateOffset = 10;
constexpr char kHeld = 'H';
constexpr char kReleased = 'R';
constexpr char kNobodyWaits = '-';

// What a crash between creation and sign-in leaves: nothing, a part of the header, or the zeros of
// a file whose size reached the disk before its data did.
bool unfinished(const char* bytes, std::size_t size) {
  const bool zeros = std::all_of(bytes, bytes + size, [](char c) { return c == '\0'; });
  return zeros ||
         (size <= kStateOffset && std::memcmp(bytes, kMagic, std::min(size, kMagicSize)) == 0);
}

bool readHeader(const os::File& file, char (&header)[kTextOffset]) {
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
    contents.text.assign(begin, static_cast<std::size_t>(end - begin));
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
  bytes[kWaitingOffset] = kNobodyWaits;
  bytes[kStateOffset] = kHeld;
  bytes[kTextOffset - 1] = '\n';
  size = std::min(size, kTextCapacity);
  std::memcpy(bytes + kTextOffset, text, size);
  std::memset(bytes + kTextOffset + size, ' ', kTextCapacity - size);
  bytes[kSize - 1] = '\n';
  const std::size_t from = before == Owner::ours ? kStateOffset : 0;
  file.writeAt(from, bytes + from, kSize - from);
}

char signOut(const os::File& file) {
  char header[kTextOffset];
  // Read first: whoever overwrote the file while we held it keeps what they wrote.
  if (!readHeader(file, header)) return kNobodyWaits;
  file.writeAt(kStateOffset, &kReleased, 1);
  return header[kWaitingOffset];
}

void announceWaiter(const os::File& file) {
  char header[kTextOffset];
  if (!readHeader(file, header)) return;
  const char before = header[kWaitingOffset];
  // Every arrival changes the letter, so that a releaser can tell a new waiter from one that left.
  const char letter = before < 'a' || before >= 'z' ? 'a' : static_cast<char>(before + 1);
  file.writeAt(kWaitingOffset, &letter, 1);
}

void wipeWaiting(const os::File& file, char letter) {
  char header[kTextOffset];
  if (readHeader(file, header) && header[kWaitingOffset] == letter) {
    file.writeAt(kWaitingOffset, &kNobodyWaits, 1);
  }
}

}  // namespace holdfast::sidecar
