// The oracle for a Node process: oracle.h as a Node-API addon, for its main thread and its workers.
//
// A worker that is terminated goes away from where it was in a clean-up hook. Hooks run last in,
// first out, so this addon is to be loaded after the library: it has to be out before the library
// gives the lock back.
#include <node_api.h>

#include <mutex>
#include <string>

#include "oracle.h"

namespace {

constexpr std::size_t kStays = 8;

// Of one thread.
struct Thread {
  oracle::Oracle oracle;
  oracle::Stay stays[kStays];
};

oracle::Book* bookAt(const char* path) {
  static std::mutex mutex;
  static oracle::Book* book = nullptr;
  const std::lock_guard<std::mutex> lock(mutex);
  if (book == nullptr) book = oracle::openBook(path);
  return book;
}

class Call {
 public:
  Call(napi_env env, napi_callback_info info) : env_(env) {
    napi_get_cb_info(env, info, &count_, arguments_, nullptr, nullptr);
    void* data = nullptr;
    napi_get_instance_data(env, &data);
    thread_ = static_cast<Thread*>(data);
  }
  Thread& thread() const { return *thread_; }
  std::uint32_t number(std::size_t index) const {
    std::uint32_t value = 0;
    napi_get_value_uint32(env_, arguments_[index], &value);
    return value;
  }
  std::uint64_t big(std::size_t index) const {
    std::uint64_t value = 0;
    bool lossless = false;
    napi_get_value_bigint_uint64(env_, arguments_[index], &value, &lossless);
    return value;
  }
  std::string text(std::size_t index) const {
    char bytes[4096] = "";
    napi_get_value_string_utf8(env_, arguments_[index], bytes, sizeof bytes, nullptr);
    return bytes;
  }
  oracle::Stay& stay(std::size_t index) const { return thread_->stays[number(index) % kStays]; }

 private:
  napi_env env_;
  Thread* thread_ = nullptr;
  std::size_t count_ = 4;
  napi_value arguments_[4] = {};
};

// (path of the book), once in each thread.
napi_value open(napi_env env, napi_callback_info info) {
  oracle::Book* book = bookAt(Call(env, info).text(0).c_str());
  if (book == nullptr) {
    napi_throw_error(env, nullptr, "the book cannot be opened");
    return nullptr;
  }
  auto* thread = new Thread{oracle::Oracle(book), {}};
  napi_set_instance_data(env, thread, nullptr, nullptr);
  const auto end = [](void* data) {
    auto* ended = static_cast<Thread*>(data);
    for (oracle::Stay& stay : ended->stays) oracle::Oracle::goAway(stay);
    delete ended;
  };
  napi_add_env_cleanup_hook(env, end, thread);
  return nullptr;
}

// () -> nanoseconds of CLOCK_BOOTTIME
napi_value now(napi_env env, napi_callback_info) {
  napi_value result = nullptr;
  napi_create_bigint_uint64(env, oracle::now(), &result);
  return result;
}

// (stay, name, token, since)
napi_value enter(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  call.thread().oracle.waited(call.big(3));
  call.thread().oracle.enter(call.stay(0), static_cast<int>(call.number(1)), call.big(2));
  return nullptr;
}

// (stay, name, token, promise) -> false: too late
napi_value enterDetached(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  napi_value result = nullptr;
  napi_get_boolean(env,
                   call.thread().oracle.enterDetached(
                       call.stay(0), static_cast<int>(call.number(1)), call.big(2), call.big(3)),
                   &result);
  return result;
}

// (stay)
napi_value leave(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  call.thread().oracle.leave(call.stay(0));
  return nullptr;
}

// (stay): of a detached lease that is left to its end
napi_value abandon(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  oracle::Oracle::goAway(call.stay(0));
  return nullptr;
}

// (what, name)
napi_value failed(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  oracle::Oracle& oracle = call.thread().oracle;
  oracle.fault(oracle.book().failures, call.text(0).c_str(), static_cast<int>(call.number(1)), 0);
  return nullptr;
}

napi_value timedOut(napi_env env, napi_callback_info info) {
  Call(env, info).thread().oracle.book().timeouts.fetch_add(1);
  return nullptr;
}

napi_value terminated(napi_env env, napi_callback_info info) {
  Call(env, info).thread().oracle.book().threads.fetch_add(1);
  return nullptr;
}

}  // namespace

NAPI_MODULE_INIT() {
  const auto method = [](const char* name, napi_callback callback) {
    return napi_property_descriptor{name,    nullptr, callback,        nullptr,
                                    nullptr, nullptr, napi_enumerable, nullptr};
  };
  const napi_property_descriptor methods[] = {method("open", open),
                                              method("now", now),
                                              method("enter", enter),
                                              method("enterDetached", enterDetached),
                                              method("leave", leave),
                                              method("abandon", abandon),
                                              method("failed", failed),
                                              method("timedOut", timedOut),
                                              method("terminated", terminated)};
  napi_define_properties(env, exports, sizeof methods / sizeof *methods, methods);
  return exports;
}
