// The oracle of the torture, which shares nothing with what is tortured: it never asks the library.
//
// Whoever believes to hold lock number N says so here, and says when it is about to give it back.
//
// - Alone: a POSIX record lock (fcntl(2)) on byte N of the book. It belongs to the process and ends
//   with it, before any flock does: the kernel drops it as it closes the first descriptor of a dead
//   process, and those of flock when all are closed. The threads of one process share it, so they
//   have a word each name beside it.
// - A detached lease outlives its holder, so no such lock can stand for it. The book has the moment
//   (CLOCK_BOOTTIME) up to which it was promised, counted from before it was asked for; until then
//   nobody else may be in, whatever became of the holder. One that comes to its promise's end is
//   late, and has no say any more.
// - Nothing lost: a count that is read on entering and written, one higher, on leaving.
// - Tokens: each is above the highest that the book has.
//
// The book is shared memory, a file that everybody maps: all of it outlives whoever is killed.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <ctime>

namespace oracle {

constexpr int kFiles = 4;   // the locks 0 … are file locks,
constexpr int kLeases = 4;  // the ones above are leases
constexpr int kNames = kFiles + kLeases;
constexpr int kHolders = 64;

using Word = std::atomic<std::uint64_t>;
static_assert(Word::is_always_lock_free && sizeof(Word) == 8);

enum class Doing : std::uint64_t { nothing = 0, asking = 1, inside = 2, releasing = 3 };

// campaigns/torture/book.mjs reads these in this order.
struct Book {
  Word files, attached, detached;  // acquisitions
  Word overlaps, regressions;      // the faults
  Word failures;                   // calls that should not have failed, leases that were lost
  Word stuck;                      // waits that had no end
  Word late;                       // detached leases whose end came while somebody was in
  Word timeouts;                   // waits that were given up
  Word longestNs, slow;            // the longest wait; how many were above kSlowNs
  Word kills[4];                   // of holders in C++, by what they were doing
  Word threads;                    // worker threads terminated
  Word told;                       // faults that were put into words
  struct Name {
    Word highest;  // token
    Word promised;
    Word began, ended;  // updates of `count`
    Word count;         // each access is atomic, the update is not
  } names[kNames];
  struct Holder {
    Word doing;
    Word since;  // asking
  } holders[kHolders];
};

constexpr std::uint64_t kSlowNs = 2'000'000'000;
constexpr std::uint64_t kStuckNs = 20'000'000'000;

inline std::uint64_t now() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

// Maps the book. Its descriptor must stay open, and no other of it may ever be closed by this
// process: that would drop the locks.
inline Book* openBook(const char* path) {
  const int file = ::open(path, O_RDWR | O_CLOEXEC);
  if (file == -1) return nullptr;
  void* memory = ::mmap(nullptr, sizeof(Book), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  // In the place of standard input: below all descriptors that anybody opens later.
  if (memory == MAP_FAILED || ::dup2(file, 0) == -1 || ::close(file) == -1) return nullptr;
  return static_cast<Book*>(memory);
}

inline void raise(Word& word, std::uint64_t value) {
  std::uint64_t before = word.load();
  while (before < value && !word.compare_exchange_weak(before, value)) {
  }
}

inline struct flock byteOf(int name, short type) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = name;
  lock.l_len = 1;
  return lock;
}

inline bool setByte(int name, short type) {
  struct flock lock = byteOf(name, type);
  return ::fcntl(0, F_SETLK, &lock) == 0;
}

inline bool byteIsTaken(int name, short type) {
  struct flock lock = byteOf(name, type);
  return ::fcntl(0, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

// Who is in, of this process' threads.
inline std::atomic<int> insiders[kNames];

// How one is in.
struct Stay {
  int name = -1;
  bool shared = false;
  bool detached = false;
  bool word = false;  // the process' own word is ours,
  bool byte = false;  // and so is the byte
  std::uint64_t promise = 0;
  std::uint64_t count = 0;
};

// The book, and what is written into it.
class Oracle {
 public:
  explicit Oracle(Book* book) : book_(*book) {}

  Book& book() { return book_; }

  void fault(Word& kind, const char* what, int name, std::uint64_t token) {
    kind.fetch_add(1);
    if (book_.told.fetch_add(1) >= 20) return;
    std::fprintf(stderr, "  oracle: %s, lock %d, token %llu, process %d\n", what, name,
                 static_cast<unsigned long long>(token), ::getpid());
  }

  void waited(std::uint64_t since) {
    const std::uint64_t took = now() - since;
    raise(book_.longestNs, took);
    if (took > kSlowNs) book_.slow.fetch_add(1);
  }

  // A lock without an end of its own: it was granted, and not given back yet. `token`: 0 for files.
  void enter(Stay& stay, int name, std::uint64_t token, bool shared = false) {
    Book::Name& place = book_.names[name];
    stay = {};
    stay.name = name;
    stay.shared = shared;
    (name < kFiles ? book_.files : book_.attached).fetch_add(1);
    stay.word = shared || insiders[name].exchange(1) == 0;
    stay.byte = stay.word && setByte(name, shared ? F_RDLCK : F_WRLCK);
    if (!stay.byte || place.promised.load() > now()) {
      fault(book_.overlaps, "not alone", name, token);
    }
    if (token != 0) expectAbove(name, token);
    stay.count = place.count.load();
  }

  // A detached lease, that was asked for at `promise` minus its TTL or later. False: too late, one
  // may not go on.
  bool enterDetached(Stay& stay, int name, std::uint64_t token, std::uint64_t promise) {
    Book::Name& place = book_.names[name];
    stay = {};
    book_.detached.fetch_add(1);
    // First what is there, then the time: if the promise still holds then, it held all along.
    std::uint64_t other = place.promised.load();
    const bool taken = byteIsTaken(name, F_WRLCK) || insiders[name].load() != 0;
    const std::uint64_t highest = place.highest.load();
    const std::uint64_t time = now();
    if (time >= promise) {
      book_.late.fetch_add(1);
      return false;
    }
    if (taken || other > time) fault(book_.overlaps, "not alone, detached", name, token);
    if (token <= highest) fault(book_.regressions, "token not above the last", name, token);
    raise(place.highest, token);
    if (!place.promised.compare_exchange_strong(other, promise)) return false;
    stay.name = name;
    stay.detached = true;
    stay.promise = promise;
    return true;
  }

  // It was renewed, and is promised for longer.
  void prolong(Stay& stay, std::uint64_t promise) {
    std::uint64_t mine = stay.promise;
    if (book_.names[stay.name].promised.compare_exchange_strong(mine, promise)) {
      stay.promise = promise;
    }
  }

  // Before it is given back.
  void leave(Stay& stay) {
    if (stay.name < 0) return;
    Book::Name& place = book_.names[stay.name];
    if (stay.detached) {
      place.promised.compare_exchange_strong(stay.promise, 0);
    } else if (!stay.shared) {
      place.began.fetch_add(1);
      place.count.store(stay.count + 1);
      place.ended.fetch_add(1);
    }
    goAway(stay);
  }

  // It ends without a word; of a detached one the promise stays.
  static void goAway(Stay& stay) {
    if (stay.byte) setByte(stay.name, F_UNLCK);
    if (stay.word && !stay.shared) insiders[stay.name].store(0);
    stay = {};
  }

 private:
  void expectAbove(int name, std::uint64_t token) {
    Word& highest = book_.names[name].highest;
    if (token <= highest.load()) {
      fault(book_.regressions, "token not above the last", name, token);
    }
    raise(highest, token);
  }

  Book& book_;
};

}  // namespace oracle
