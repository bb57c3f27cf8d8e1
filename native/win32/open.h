// Opening by path, and looking at what was opened.
#pragma once

#include <string>

#include "error.h"

namespace holdfast::os {

// What a file that was deleted, but is still open somewhere, looks like to the caller.
enum class Deleted { busy, missing };

struct OpenRequest {
  DWORD rights = 0;
  DWORD disposition = OPEN_EXISTING;
  DWORD flags = 0;
  Deleted deleted = Deleted::busy;
};

// How long others may stand in the way: growing pauses, for half a second in all.
class Patience {
 public:
  bool pause();  // false when it has run out

 private:
  ULONGLONG start_ = GetTickCount64();
  DWORD next_ = 1;
};

// CreateFileW as everything here wants it: sharing everything, inherited by nobody, patient with
// those who share less. Blocks for up to half a second.
Failure openPath(const std::wstring& path, const OpenRequest& request, Handle& out);

// FILE_FLAG_OPEN_REPARSE_POINT where a link must not be followed.
DWORD flagsFor(Links links);

// The tag of a reparse point that was opened itself, 0 for anything else.
DWORD reparseTagOf(HANDLE file);

Failure infoOf(HANDLE file, FileInfo& out);

}  // namespace holdfast::os
