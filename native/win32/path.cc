// The rules are those of "Naming Files, Paths, and Namespaces" in the Win32 documentation. The
// \\?\ prefix switches all parsing off, so a path is made absolute and normalised first. Short
// paths do without it: some network redirectors and older filter drivers do not know it.
#include "path.h"

#include <cstring>
#include <cwchar>
#include <utility>

namespace holdfast::os {
namespace {

constexpr wchar_t kVerbatim[] = L"\\\\?\\";
constexpr wchar_t kVerbatimUnc[] = L"\\\\?\\UNC\\";
constexpr wchar_t kNative[] = L"\\??\\";
constexpr wchar_t kNativeUnc[] = L"\\??\\UNC\\";
constexpr wchar_t kDevice[] = L"\\\\.\\";

// CreateDirectoryW leaves room for an 8.3 name, so 248 and not 260 is the limit that never errs.
constexpr std::size_t kShortEnough = 247;

bool startsWith(const std::wstring& text, const wchar_t* prefix) {
  return text.compare(0, std::wcslen(prefix), prefix) == 0;
}

Failure decode(const char* path, std::wstring& out) {
  const int bytes = static_cast<int>(std::strlen(path));
  if (bytes == 0) return {ENOENT, "CreateFileW"};
  const int size = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, bytes, nullptr, 0);
  if (size == 0) return lastFailure("MultiByteToWideChar");
  out.resize(static_cast<std::size_t>(size));
  if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, bytes, out.data(), size) == 0) {
    return lastFailure("MultiByteToWideChar");
  }
  return {};
}

}  // namespace

Failure toWide(const char* path, std::wstring& out) {
  std::wstring given;
  if (const Failure failure = decode(path, given)) return failure;
  if (startsWith(given, kVerbatim)) {
    out = std::move(given);
    return {};
  }
  // Another thread may change the current directory between two calls, and the size with it.
  DWORD size = MAX_PATH;
  for (;;) {
    out.resize(size);
    const DWORD needed = GetFullPathNameW(given.c_str(), size, out.data(), nullptr);
    if (needed == 0) return lastFailure("GetFullPathNameW");
    if (needed < size) {
      out.resize(needed);
      break;
    }
    size = needed;
  }
  if (out.size() > kShortEnough) out = withPrefix(out);
  return {};
}

std::wstring withPrefix(const std::wstring& path) {
  if (startsWith(path, kVerbatim) || startsWith(path, kDevice)) return path;
  if (startsWith(path, L"\\\\")) return kVerbatimUnc + path.substr(2);
  return kVerbatim + path;
}

Failure toUtf8(const std::wstring& wide, std::string& out) {
  out.clear();
  if (wide.empty()) return {};
  const int length = static_cast<int>(wide.size());
  const int size = WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, wide.data(), length, nullptr,
                                       0, nullptr, nullptr);
  if (size == 0) return lastFailure("WideCharToMultiByte");
  out.resize(static_cast<std::size_t>(size));
  if (WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, wide.data(), length, out.data(), size,
                          nullptr, nullptr) == 0) {
    return lastFailure("WideCharToMultiByte");
  }
  return {};
}

std::wstring withoutPrefix(const std::wstring& path) {
  for (const wchar_t* prefix : {kVerbatimUnc, kNativeUnc}) {
    if (startsWith(path, prefix)) return L"\\\\" + path.substr(std::wcslen(prefix));
  }
  for (const wchar_t* prefix : {kVerbatim, kNative}) {
    if (!startsWith(path, prefix)) continue;
    const std::wstring rest = path.substr(std::wcslen(prefix));
    return rest.size() >= 2 && rest[1] == L':' ? rest : path;
  }
  return path;
}

bool isUnc(const std::wstring& path) {
  if (startsWith(path, kVerbatimUnc)) return true;
  return startsWith(path, L"\\\\") && !startsWith(path, kVerbatim) && !startsWith(path, kDevice);
}

std::wstring folderOf(const std::wstring& path) {
  const std::size_t slash = path.find_last_of(L'\\');
  return slash == std::wstring::npos ? std::wstring() : path.substr(0, slash + 1);
}

}  // namespace holdfast::os
