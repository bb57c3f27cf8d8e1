// One overlapped operation with an event of its own.
//
// All files are opened for overlapped I/O, because only then can a waiting LockFileEx be cancelled.
// An OVERLAPPED without an event would signal the file handle, which every operation on that handle
// does: two of them at once, and one is taken for the other. The kernel writes into the structure
// when the operation ends, so it must not leave its stack frame before finish() has returned.
#pragma once

#include "platform.h"

namespace holdfast::os {

class Overlapped {
 public:
  explicit Overlapped(std::uint64_t offset) : event_(CreateEventW(nullptr, TRUE, FALSE, nullptr)) {
    raw_.Offset = static_cast<DWORD>(offset);
    raw_.OffsetHigh = static_cast<DWORD>(offset >> 32);
    raw_.hEvent = event_.get();
  }
  Overlapped(const Overlapped&) = delete;
  Overlapped& operator=(const Overlapped&) = delete;

  bool ready() const { return static_cast<bool>(event_); }
  OVERLAPPED* get() { return &raw_; }
  HANDLE event() const { return event_.get(); }

  // Right after the call that began the operation, with its result: the error it ended with.
  DWORD finish(HANDLE file, BOOL succeeded, DWORD& bytes) {
    if (!succeeded) {
      const DWORD error = GetLastError();
      if (error != ERROR_IO_PENDING) return error;
    }
    return collect(file, bytes);
  }
  DWORD collect(HANDLE file, DWORD& bytes) {
    return GetOverlappedResult(file, &raw_, &bytes, TRUE) ? ERROR_SUCCESS : GetLastError();
  }

 private:
  Handle event_;
  OVERLAPPED raw_ = {};
};

}  // namespace holdfast::os
