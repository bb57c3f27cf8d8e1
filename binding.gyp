# Linux links no libstdc++ (native/nostd.cc stands in for the few functions used), so that the
# binary needs nothing but libc, and exports only the two entry points of Node-API.
# -z nodelete: a waiter that a dead network server holds in the kernel may outlive its worker
# thread, and must find its code when it returns.
{
  "targets": [
    {
      "target_name": "holdfast",
      "sources": [
        "native/addon.cc",
        "native/courtesy.cc",
        "native/environment.cc",
        "native/exclusive_file.cc",
        "native/file_exports.cc",
        "native/guard.cc",
        "native/lease_exports.cc",
        "native/local_volumes.cc",
        "native/lock_exports.cc",
        "native/lock_handle.cc",
        "native/lock_waiter.cc",
        "native/record.cc",
        "native/sidecar.cc",
        "native/sight.cc",
        "native/snapshot.cc",
        "native/transaction.cc",
        "native/waits.cc",
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": [
        "NAPI_VERSION=8",
        "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
      ],
      "cflags!": ["-O3"],
      "cflags": ["-O2", "-ffunction-sections", "-fdata-sections"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": [
        "-std=c++20",
        "-fno-exceptions",
        "-fno-rtti",
        "-Wall",
        "-Wextra",
        "-fvisibility=hidden",
        "-fvisibility-inlines-hidden",
      ],
      "conditions": [
        ["OS!='win'", {
          "sources": ["native/posix/os.cc", "native/posix/system.cc", "native/posix/thread.cc"],
        }],
        ["OS=='linux'", {
          "sources": ["native/nostd.cc", "native/posix/glibc_floor.cc"],
          "ldflags": [
            "-nodefaultlibs",
            "-static-libgcc",
            "-Wl,-z,relro,-z,now,-z,nodelete",
            "-Wl,--gc-sections",
            "-Wl,--no-undefined-version",
            # From build/, where the linker runs: the whole path may have blanks in it.
            "-Wl,--version-script=../native/napi.map",
          ],
          "libraries": ["-lc", "-lgcc"],
        }],
        ["OS=='mac'", {
          "xcode_settings": {
            "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
            "MACOSX_DEPLOYMENT_TARGET": "11.0",
            "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
            "GCC_ENABLE_CPP_RTTI": "NO",
            "GCC_ENABLE_CPP_EXCEPTIONS": "NO",
          },
        }],
        ["OS=='win'", {
          "sources": ["<!@(node -p \"require('fs').readdirSync('native/win32').filter((f) => f.endsWith('.cc')).map((f) => 'native/win32/' + f).join(' ')\")"],
          "msvs_settings": {
            "VCCLCompilerTool": {"ExceptionHandling": 0, "AdditionalOptions": ["/std:c++20"]},
          },
          "defines": ["_HAS_EXCEPTIONS=0"],
        }],
      ],
    },
  ],
}
