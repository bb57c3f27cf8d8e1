// Giving an open file another name, and getting one out of the way of another.
#pragma once

#include <string>

#include "platform.h"

namespace holdfast::os {

// Values of FILE_RENAME_INFO::Flags. Defined here, because headers offer them only when told that
// no older Windows matters.
constexpr DWORD kReplaceIfExists = 0x1;
constexpr DWORD kRenamePosix = 0x2;
constexpr DWORD kReplaceReadOnly = 0x40;  // rename(2) does not ask for the file's permissions

// All of these want a file that was opened with the right DELETE.

// Without flags the name must be free, and every filesystem knows how. Answers the error.
DWORD renameOpen(HANDLE file, const std::wstring& to, DWORD flags);

// Marks a file to go when it is closed by all, or takes that back.
bool setDeleted(HANDLE file, bool deleted);

// Frees the name of a file: it is given one beside it that nobody looks for. Whether it may be
// deleted is the caller's to find out, and to do.
bool moveAside(HANDLE file, const std::wstring& path);

}  // namespace holdfast::os
