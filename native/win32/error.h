// From Win32 error codes to the errno values that the layers above understand.
#pragma once

#include "../os.h"
#include "platform.h"

namespace holdfast::os {

int errnoOf(DWORD error);

inline Failure failureOf(DWORD error, const char* call) { return {errnoOf(error), call}; }
// Right after the call that failed: whatever is called in between may set another error.
inline Failure lastFailure(const char* call) { return failureOf(GetLastError(), call); }

// Nothing has this name, or nothing that a path could reach.
bool isMissing(DWORD error);

// Whoever does not know a request says so with one of several errors.
bool isUnknownRequest(DWORD error);

// Tells STATUS_DELETE_PENDING from the other reasons for ERROR_ACCESS_DENIED. A file that was
// deleted while open keeps its name until the last handle closes, and until then every open fails
// as if the rights were missing. Win32 has no error of its own for this; the status of the last
// native call of this thread, which Win32 translated, tells.
class DeletePending {
 public:
  DeletePending();  // before the call in question: the look-up may disturb what it asks for
  bool after(DWORD error) const;

 private:
  void* query_;
};

}  // namespace holdfast::os
