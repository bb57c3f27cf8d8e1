#include "courtesy.h"

#include <algorithm>
#include <mutex>

#include "sidecar.h"

namespace holdfast::courtesy {
namespace {

constexpr std::uint64_t kFirstMoment = 100'000;  // ns; a hand-over takes about half of it
constexpr unsigned kDoubleEvery = 3;
constexpr unsigned kMaxDoublings = 5;
constexpr unsigned kGiveUpAfter = 24;  // about 38 ms in all

constexpr std::uint64_t kInsuredFor = 1'000'000'000;  // after the last letter
constexpr std::uint64_t kInsuredEvery = 20'000'000;   // half a percent of the time is given away

struct Entry {
  os::FileId file;
  char letter = sidecar::kNobody;
  unsigned fruitless = 0;
  std::uint64_t until = 0;         // stay away until then
  std::uint64_t insuredUntil = 0;  // a letter was seen less than kInsuredFor ago
};

// One table for the process: worker threads are one process to the others. Two files that share a
// slot forget each other's count, which costs fairness for a moment and nothing else.
constexpr std::size_t kSlots = 64;
std::mutex mutex;
Entry table[kSlots];

// No entry matters after this. A program in which nobody ever waits takes no mutex and no clock.
std::atomic<std::uint64_t> latest{0};

Entry& slotOf(const os::FileId& file) {
  return table[(file.low ^ file.high ^ file.volume) % kSlots];
}

bool nothingToDo() { return latest.load(std::memory_order_relaxed) == 0; }

void stayAway(Entry& entry, std::uint64_t now, unsigned doublings) {
  entry.until = now + (kFirstMoment << doublings);
}

}  // namespace

bool isStale(const os::FileId& file, char letter, char own) {
  if (letter == sidecar::kNobody && nothingToDo()) return false;
  const std::uint64_t now = os::monotonicNs();
  const std::lock_guard<std::mutex> lock(mutex);
  Entry& entry = slotOf(file);
  if (letter == sidecar::kNobody) {
    const bool insured = entry.file == file && now < entry.insuredUntil;
    if (insured && now >= entry.until + kInsuredEvery) stayAway(entry, now, 0);
    return false;
  }
  if (!(entry.file == file)) entry = {file, sidecar::kNobody, 0, now, 0};
  entry.insuredUntil = now + kInsuredFor;
  latest.store(entry.insuredUntil, std::memory_order_relaxed);
  if (letter == own) return true;
  // A holder that had to wait itself has let others in.
  if (letter != entry.letter || own != sidecar::kNobody) entry.fruitless = 0;
  entry.letter = letter;
  if (entry.fruitless >= kGiveUpAfter) return true;
  stayAway(entry, now, std::min(entry.fruitless++ / kDoubleEvery, kMaxDoublings));
  return false;
}

std::uint64_t remaining(const os::FileId& file) {
  if (nothingToDo()) return 0;
  const std::uint64_t now = os::monotonicNs();
  if (now >= latest.load(std::memory_order_relaxed)) return 0;
  const std::lock_guard<std::mutex> lock(mutex);
  const Entry& entry = slotOf(file);
  return entry.file == file && entry.until > now ? entry.until - now : 0;
}

}  // namespace holdfast::courtesy
