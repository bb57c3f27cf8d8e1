// Paths: UTF-8 outside, UTF-16 towards the system, and back.
#pragma once

#include <string>

#include "error.h"

namespace holdfast::os {

// The absolute path as the wide functions want it. One that does not fit MAX_PATH gets the
// prefix \\?\ in front, which lifts the limit to 32767 characters.
Failure toWide(const char* path, std::wstring& out);

// The same absolute path, however long it is.
std::wstring withPrefix(const std::wstring& path);

// Strict: a name that UTF-8 cannot express is an error (EILSEQ), never a similar name.
Failure toUtf8(const std::wstring& wide, std::string& out);

// Takes the "verbatim" and the native prefix away: \\?\C:\x, \??\C:\x -> C:\x and
// \\?\UNC\server\share -> \\server\share. Volume GUID paths have no other spelling and stay.
std::wstring withoutPrefix(const std::wstring& path);

// A path on another machine: \\server\share, with or without the prefix.
bool isUnc(const std::wstring& path);

// The folder of a path that toWide made, with its last backslash.
std::wstring folderOf(const std::wstring& path);

}  // namespace holdfast::os
