// The sidecar's contents: they explain who holds the lock, they never decide it.
//
// The kernel lock on the file is the truth. The text in it is written without fsync by the
// exclusive holder after it was granted the lock, and failing to write it never fails a grant.
//
//   offset 0   "holdfast1"   magic and version; a file that begins otherwise is never written to
//   offset 9   waiting       '-' nobody; else a letter that every new waiter chooses at random
//   offset 10  state         'H' held, 'R' released
//   offset 11  ' ' and the time of the grant: milliseconds since 1970 in 16 digits
//   offset 28  '\n', the holder as one line of JSON, blanks, and '\n' at offset 511
//
// The waiting letter lies outside of what a new holder writes (offset 10 onwards): a waiter that
// announces itself while the holder signs in must not be forgotten.
#pragma once

#include <cstddef>
#include <string>

#include "os.h"

namespace holdfast::sidecar {

constexpr std::size_t kSize = 512;
constexpr std::size_t kTextOffset = 29;
constexpr std::size_t kTextCapacity = kSize - kTextOffset - 1;

enum class Owner {
  nobody,   // empty, or never written completely: ours to fill
  ours,     // begins with the magic
  foreign,  // somebody else's file: it may be locked, it is never written
};

struct Contents {
  Owner owner = Owner::foreign;
  bool held = false;  // the last exclusive holder has not signed out
  char waiting = '-';
  std::string text;  // time of the grant, a blank, the holder's JSON; filled only if `held`
};

// A file that cannot be read counts as foreign.
Contents read(const os::File& file);

// The same for somebody who holds nothing: the file is opened for reading, never locked, and read
// until it says the same twice, for the holder may be signing in or out meanwhile.
Contents readAt(const char* path);

// Signs an exclusive holder in. `before` is what read() found under the same lock.
void signIn(const os::File& file, Owner before, const char* text, std::size_t size);

// Signs it out and returns the waiting letter that was found (kNobody for none).
char signOut(const os::File& file);

constexpr char kNobody = '-';

// Leaves a letter for the holder and returns it; kNobody where there is no place for one.
char announceWaiter(const os::File& file);
// Wipes the letter, unless a new waiter has changed it meanwhile.
void wipeWaiting(const os::File& file, char letter);

}  // namespace holdfast::sidecar
