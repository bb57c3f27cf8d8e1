// A lease, from the end of the line to its release, in the steps of src/store/.
#include <cstdlib>
#include <utility>

#include "holder.h"
#include "record.h"
#include "snapshot.h"

namespace torture {

using holdfast::Change;
using holdfast::Expectation;
using holdfast::LockHandle;
using holdfast::LockRequest;
using holdfast::Outcome;
using holdfast::Snapshot;
using holdfast::Transaction;
using holdfast::TransactionRequest;
using holdfast::Verdict;
namespace record = holdfast::record;

namespace {

// src/record.ts, `layout`.
constexpr std::size_t kExpiresOffset = 112;
constexpr std::size_t kDeadlineOffset = 140;
constexpr std::size_t kNumberLength = 16;

constexpr std::uint64_t kNsPerMs = 1'000'000;

void putNumber(std::string& record, std::size_t offset, std::uint64_t value) {
  std::string text = std::to_string(value);
  text.resize(kNumberLength, ' ');
  record.replace(offset, kNumberLength, text);
}

bool isDetached(const std::string& record) {
  return record::tokenOf(record) != 0 && record.find("\"kind\":\"detached\"") != std::string::npos;
}

// src/store/place.ts, `expectation`: what was judged, or nothing where nothing was. No freeze.
holdfast::Expected exactly(const Snapshot& judged) {
  holdfast::Expected expected;
  expected.minded = true;
  expected.record = judged.record ? Expectation::same : Expectation::absent;
  expected.dead = judged.record && !isDetached(*judged.record);
  expected.bytes = judged.record.value_or("");
  return expected;
}

}  // namespace

void Holder::leaseTurn(int name) {
  const std::uint32_t dice = below(10);
  const Form form = dice < 5 ? endless : dice < 9 ? lasting : brief;
  LockHandle live;
  std::string record;
  token_ = 0;
  lost_ = false;
  beginAsking();
  if (!grant(name, form, live, record)) return;
  oracle_.waited(me_.since.load());
  if (form != brief)
    oracle_.enter(stay_, name, token_);
  else if (!oracle_.enterDetached(stay_, name, token_, asked_ + kBriefMs * kNsPerMs))
    return;
  beInside();
  if (form != endless && below(3) == 0) renew(name, form, live, record);
  // Now and then it is left to its end, which nobody may come before.
  if (form == brief && below(8) == 0) {
    stay_ = {};
    return;
  }
  oracle_.leave(stay_);
  me_.doing.store(static_cast<std::uint64_t>(oracle::Doing::releasing));
  if (!lost_) giveBack(name, live, record);
}

Verdict Holder::run(TransactionRequest&& request, LockHandle& live) {
  request.flags = LockRequest::local;
  Transaction transaction(std::move(request));
  const Verdict verdict = transaction.run(live, volumes_, true, &interrupt_);
  if (verdict == Verdict::failed) failed(-1, transaction.failure().call);
  return verdict;
}

std::string Holder::newRecord(int lease, Form form) {
  std::string text = templates_.records[static_cast<std::size_t>(lease) * forms + form];
  for (std::size_t i = 0; i < record::kIdDigits; ++i) {
    text[record::kIdOffset + i] = "0123456789abcdef"[below(16)];
  }
  putEnd(text, form);
  return text;
}

void Holder::putEnd(std::string& text, Form form) const {
  if (form == endless) return;
  const std::uint64_t ttlMs = form == lasting ? kLastingMs : kBriefMs;
  const std::uint64_t clockNs = form == lasting ? os::monotonicNs() : os::boottimeNs();
  putNumber(text, kExpiresOffset, os::wallClockUs() / 1000 + ttlMs);
  // Up: a TTL is never cut short by a fraction of a millisecond.
  putNumber(text, kDeadlineOffset, clockNs / kNsPerMs + 1 - bootZeroMs_ + ttlMs);
}

// src/staleness.ts, as far as it can come to it here.
bool Holder::canBeTaken(const Snapshot& found) const {
  if (!found.record) return true;
  if (found.alive) return false;
  if (!isDetached(*found.record)) return true;  // its holder is dead, or died writing it
  const std::uint64_t deadline =
      std::strtoull(found.record->c_str() + kDeadlineOffset, nullptr, 10);
  return os::boottimeNs() / kNsPerMs - bootZeroMs_ >= deadline;
}

// src/store/waiting.ts: straight to the record, then through the turnstile, then until it is free.
bool Holder::grant(int name, Form form, LockHandle& live, std::string& text) {
  const std::string base = folder_ + "/leases/" + std::to_string(name);
  const bool patient = below(4) != 0;
  LockHandle turn;
  Snapshot judged;
  for (;;) {
    TransactionRequest request;
    request.base = base;
    request.change = Change::grant;
    request.attach = form != brief;
    request.durable = form == brief;
    request.flags = LockRequest::local;
    request.expected = exactly(judged);
    request.next = newRecord(name - oracle::kFiles, form);
    asked_ = oracle::now();
    Transaction transaction(std::move(request));
    const Verdict verdict = transaction.run(live, volumes_, true, &interrupt_);
    if (verdict == Verdict::done) {
      token_ = transaction.token();
      text = transaction.written();
      return true;
    }
    if (verdict != Verdict::conflict) {
      failed(name, verdict == Verdict::failed ? transaction.failure().call : "grant");
      return false;
    }
    judged = transaction.found();
    if (canBeTaken(judged)) continue;
    if (!patient) return false;
    if (!turn.held() && !waitInLine(base, turn)) {
      failed(name, "turnstile");
      return false;
    }
    // The record was left open in `live`, as it was judged under the guard.
    if (judged.alive && live.file().isOpen())
      live.awaitHolder(interrupt_);
    else
      os::sleepNs(kNsPerMs);
    live.abandon();
    judged = {};
  }
}

bool Holder::waitInLine(const std::string& base, LockHandle& turn) {
  const std::string path = base + ".queue";
  LockRequest request;
  request.path = path.c_str();
  request.mode = 0600;
  request.flags = LockRequest::sidecar | LockRequest::plain | LockRequest::local;
  return turn.acquire(request, volumes_, &interrupt_) == Outcome::granted;
}

void Holder::renew(int name, Form form, LockHandle& live, std::string& text) {
  const std::uint64_t asked = oracle::now();
  TransactionRequest request;
  request.base = folder_ + "/leases/" + std::to_string(name);
  request.change = form == brief ? Change::replace : Change::renew;
  request.durable = form == brief;
  request.expected.record = Expectation::own;
  request.expected.bytes = text;
  request.next = text;
  putEnd(request.next, form);
  const Verdict verdict = run(std::move(request), live);
  if (verdict == Verdict::done && form == brief) {
    asked_ = asked;
    oracle_.prolong(stay_, asked + kBriefMs * kNsPerMs);
  } else if (verdict == Verdict::conflict) {
    lost_ = true;
    // Somebody had it although it was promised to us, or it was ours for as long as we live.
    if (form == lasting || oracle::now() < stay_.promise) failed(name, "lost on renewal");
  }
}

void Holder::giveBack(int name, LockHandle& live, const std::string& text) {
  const bool attached = live.held();
  const std::uint64_t promise = asked_ + kBriefMs * kNsPerMs;
  TransactionRequest request;
  request.base = folder_ + "/leases/" + std::to_string(name);
  request.change = Change::remove;
  request.durable = !attached;
  request.expected.record = Expectation::own;
  request.expected.bytes = text;
  const Verdict verdict = run(std::move(request), live);
  if (verdict == Verdict::conflict && (attached || oracle::now() < promise)) {
    failed(name, "lost on release");
  }
  live.release();
}

}  // namespace torture
