// One process that takes locks until it is killed: file locks and leases, through the same native
// code as the addon (LockHandle, LockWaiter, Transaction). What the library has in TypeScript, the
// verdict over a record and the way through the turnstile, is here in few words.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "local_volumes.h"
#include "lock_handle.h"
#include "oracle.h"
#include "transaction.h"

namespace torture {

namespace os = holdfast::os;

// What src/record.ts encodes: for each lease a record attached without TTL, attached with one that
// never ends here, and detached with one of kBriefMs. The ids, ends and tokens are written over.
struct Templates {
  std::string holder;  // the text in the sidecar of a file lock
  std::vector<std::string> records;
};
enum Form : std::size_t { endless = 0, lasting = 1, brief = 2, forms = 3 };
constexpr std::uint64_t kLastingMs = 3'600'000;
constexpr std::uint64_t kBriefMs = 60;

class Holder {
 public:
  Holder(oracle::Book* book, int slot, const std::string& folder, const Templates& templates,
         std::uint64_t bootZeroMs, std::uint32_t seed)
      : oracle_(book),
        me_(book->holders[slot]),
        folder_(folder),
        templates_(templates),
        bootZeroMs_(bootZeroMs),
        random_(seed) {}

  [[noreturn]] void work();

 private:
  std::uint32_t below(std::uint32_t limit) { return random_() % limit; }
  void beginAsking();
  void beInside();
  void dawdle();

  void fileTurn(int name);
  holdfast::Outcome askForFile(const holdfast::LockRequest& request, holdfast::LockHandle& handle);

  void leaseTurn(int name);
  holdfast::Verdict run(holdfast::TransactionRequest&& request, holdfast::LockHandle& live);
  std::string newRecord(int lease, Form form);
  void putEnd(std::string& record, Form form) const;
  bool canBeTaken(const holdfast::Snapshot& found) const;
  bool grant(int name, Form form, holdfast::LockHandle& live, std::string& record);
  bool waitInLine(const std::string& base, holdfast::LockHandle& turn);
  void renew(int name, Form form, holdfast::LockHandle& live, std::string& record);
  void giveBack(int name, holdfast::LockHandle& live, const std::string& record);
  void failed(int name, const char* call);

  oracle::Oracle oracle_;
  oracle::Book::Holder& me_;
  const std::string folder_;
  const Templates& templates_;
  const std::uint64_t bootZeroMs_;
  std::minstd_rand random_;
  holdfast::LocalVolumes volumes_;
  os::Interrupt interrupt_;
  oracle::Stay stay_;
  std::uint64_t token_ = 0;
  std::uint64_t asked_ = 0;
  bool lost_ = false;
};

}  // namespace torture
