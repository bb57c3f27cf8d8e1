// For MinGW only; a Visual C++ build gets an equivalent hook from node-gyp.
//
// An addon calls back into the program that loaded it. An ordinary import names that program,
// "node.exe", and the loader refuses the addon in any other: a renamed node, or Electron. So these
// imports are resolved at their first use, and this hook answers with whatever program runs.
#ifdef __MINGW32__
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
// clang-format off: windows.h goes first, delayimp.h builds on it
#include <windows.h>
#include <delayimp.h>
// clang-format on
#include <string.h>

namespace {

FARPROC WINAPI hostIsNode(unsigned event, PDelayLoadInfo info) {
  if (event != dliNotePreLoadLibrary || _stricmp(info->szDll, "node.exe") != 0) return nullptr;
  return reinterpret_cast<FARPROC>(GetModuleHandleW(nullptr));
}

}  // namespace

extern "C" {
PfnDliHook __pfnDliNotifyHook2 = hostIsNode;
}
#endif
