// A crowd of processes that take locks, and one that kills them.
//
// The parent never locks anything: it forks, and so a process that is killed has a successor within
// a tenth of a millisecond that knows nothing of what was before. Its children end with it.
//
// Usage: crowd BOOK FOLDER TEMPLATES CHILDREN MICROSECONDS BOOT-ZERO SEED; a SIGKILL each
// MICROSECONDS on average, until it is killed itself.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>

#include "holder.h"

namespace {

constexpr int kMinArguments = 8;

class Crowd {
 public:
  Crowd(char** argv)
      : book_(oracle::openBook(argv[1])),
        folder_(argv[2]),
        children_(std::atoi(argv[4])),
        pauseUs_(static_cast<std::uint32_t>(std::atoi(argv[5]))),
        bootZeroMs_(static_cast<std::uint64_t>(std::atoll(argv[6]))),
        random_(static_cast<std::uint32_t>(std::atoll(argv[7])) + 1) {
    std::ifstream file(argv[3]);
    std::getline(file, templates_.holder);
    for (std::string line; std::getline(file, line);) templates_.records.push_back(line + "\n");
  }

  bool ready() const {
    return book_ != nullptr && children_ > 0 && children_ <= oracle::kHolders && pauseUs_ > 0 &&
           templates_.records.size() == std::size_t{oracle::kLeases} * torture::forms;
  }

  [[noreturn]] void run() {
    for (int i = 0; i < children_; ++i) start(i);
    for (std::uint64_t looked = oracle::now();;) {
      ::usleep(random_() % (2 * pauseUs_));
      const int victim = choose();
      // Its last word, read when it is dead.
      end(victim);
      book_->kills[book_->holders[victim].doing.load() % 4].fetch_add(1);
      start(victim);
      if (oracle::now() - looked < oracle::kSlowNs) continue;
      looked = oracle::now();
      lookForStuck();
    }
  }

 private:
  void start(int slot) {
    book_->holders[slot].doing.store(0);
    const std::uint32_t seed = static_cast<std::uint32_t>(random_());
    const pid_t parent = ::getpid();
    pids_[slot] = ::fork();
    if (pids_[slot] == -1) {
      std::perror("fork");
      std::exit(1);
    }
    if (pids_[slot] > 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    std::make_unique<torture::Holder>(book_, slot, folder_, templates_, bootZeroMs_, seed)->work();
  }

  // Anybody, or every other time somebody who is in. Most are waiting.
  int choose() {
    const auto some = static_cast<int>(random_() % static_cast<std::uint32_t>(children_));
    const bool anybody = random_() % 2 == 0;
    for (int i = 0; i < children_ && !anybody; ++i) {
      const int other = (some + i) % children_;
      const std::uint64_t doing = book_->holders[other].doing.load();
      if (doing >= static_cast<std::uint64_t>(oracle::Doing::inside)) return other;
    }
    return some;
  }

  void end(int slot) {
    int status = 0;
    ::kill(pids_[slot], SIGKILL);
    ::waitpid(pids_[slot], &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return;
    std::fprintf(stderr, "  oracle: a holder ended by itself, status %d\n", status);
    book_->failures.fetch_add(1);
  }

  void lookForStuck() {
    for (int i = 0; i < children_; ++i) {
      oracle::Book::Holder& holder = book_->holders[i];
      const std::uint64_t since = holder.since.load();
      if (holder.doing.load() != static_cast<std::uint64_t>(oracle::Doing::asking)) continue;
      if (oracle::now() < since + oracle::kStuckNs) continue;
      std::fprintf(stderr, "  oracle: process %d has been waiting for too long\n", pids_[i]);
      book_->stuck.fetch_add(1);
      end(i);
      start(i);
    }
  }

  oracle::Book* book_;
  std::string folder_;
  int children_;
  std::uint32_t pauseUs_;
  std::uint64_t bootZeroMs_;
  std::minstd_rand random_;
  torture::Templates templates_;
  pid_t pids_[oracle::kHolders] = {};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < kMinArguments) return 2;
  Crowd crowd(argv);
  if (!crowd.ready()) return 2;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  crowd.run();
}
