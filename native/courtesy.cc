#include "courtesy.h"

#include <algorithm>
#include <mutex>

namespace holdfast::courtesy {
namespace {

constexpr std::uint64_t kFirstMoment = 100'000;  // ns; a hand-over takes about half of it
constexpr unsigned kDoubleEvery = 3;
constexpr unsigned kMaxDoublings = 5;
constexpr unsigned kGiveUpAfter = 24;  // about 38 ms in all

struct Entry {
  os::FileId file;
  std::uint64_t until = 0;
  unsigned fruitless = 0;
  char letter = '-';
};

// One table for the process: worker threads are one process to the others. Two files that share a
// slot forget each other's count, which costs fairness for a moment and nothing else.
constexpr std::size_t kSlots = 64;
std::mutex mutex;
Entry table[kSlots];
std::atomic<std::uint64_t> latest{0};  // no entry ends later; spares the mutex where nobody waits

Entry& slotOf(const os::FileId& file) {
  return table[(file.low ^ file.high ^ file.volume) % kSlots];
}

}  // namespace

bool yieldTo(const os::FileId& file, char letter, bool waited) {
  const std::lock_guard<std::mutex> lock(mutex);
  Entry& entry = slotOf(file);
  if (!(entry.file == file) || entry.letter != letter || waited) entry = {file, 0, 0, letter};
  if (entry.fruitless >= kGiveUpAfter) {
    entry = {};
    return false;
  }
  const unsigned doublings = std::min(entry.fruitless / kDoubleEvery, kMaxDoublings);
  entry.fruitless++;
  entry.until = os::monotonicNs() + (kFirstMoment << doublings);
  latest.store(std::max(latest.load(std::memory_order_relaxed), entry.until),
               std::memory_order_relaxed);
  return true;
}

std::uint64_t remaining(const os::FileId& file) {
  const std::uint64_t last = latest.load(std::memory_order_relaxed);
  if (last == 0) return 0;
  const std::uint64_t now = os::monotonicNs();
  if (now >= last) return 0;
  const std::lock_guard<std::mutex> lock(mutex);
  const Entry& entry = slotOf(file);
  return entry.file == file && entry.until > now ? entry.until - now : 0;
}

}  // namespace holdfast::courtesy
