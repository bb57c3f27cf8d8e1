// What crosses the border: arguments in, results out. Used by the files that export functions.
//
// These are the C functions of Node-API, not node-addon-api's wrappers (docs/adr/0006): a worker
// thread that is being terminated refuses every call that could run JavaScript, the wrappers answer
// a refusal with an exception, which is refused as well, and the process aborts. Here a refusal is
// ignored: nobody is left to be told, and the clean-up hook puts everything away.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "os.h"

namespace holdfast {

// One call from JavaScript, and its arguments. A missing or wrong one is answered with null or
// false; the function then throws (`misuse`).
class Call {
 public:
  Call(napi_env env, napi_callback_info info) : env_(env) {
    napi_get_cb_info(env, info, &count_, arguments_, nullptr, nullptr);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  napi_env env() const { return env_; }
  napi_value at(std::size_t index) const { return index < count_ ? arguments_[index] : nullptr; }

  template <typename Data>
  Data* environment() const {
    void* data = nullptr;
    napi_get_instance_data(env_, &data);
    return static_cast<Data*>(data);
  }

  template <typename Item>
  Item* externalAt(std::size_t index) const {
    void* data = nullptr;
    if (napi_get_value_external(env_, at(index), &data) != napi_ok) return nullptr;
    return static_cast<Item*>(data);
  }

  bool uint32At(std::size_t index, std::uint32_t& value) const {
    return napi_get_value_uint32(env_, at(index), &value) == napi_ok;
  }

  bool int32At(std::size_t index, std::int32_t& value) const {
    return napi_get_value_int32(env_, at(index), &value) == napi_ok;
  }

  bool numberAt(std::size_t index, double& value) const {
    return napi_get_value_double(env_, at(index), &value) == napi_ok;
  }

  bool booleanAt(std::size_t index, bool& value) const {
    return napi_get_value_bool(env_, at(index), &value) == napi_ok;
  }

  bool isNull(std::size_t index) const {
    napi_valuetype type = napi_undefined;
    return napi_typeof(env_, at(index), &type) == napi_ok && type == napi_null;
  }

  bool isFunctionAt(std::size_t index) const {
    napi_valuetype type = napi_undefined;
    return napi_typeof(env_, at(index), &type) == napi_ok && type == napi_function;
  }

  bool bytesAt(std::size_t index, void*& data, std::size_t& size) const {
    napi_typedarray_type type;
    return napi_get_typedarray_info(env_, at(index), &type, &size, &data, nullptr, nullptr) ==
               napi_ok &&
           type == napi_uint8_array;
  }

  // Results.
  napi_value misuse(const char* message) const {
    napi_throw_type_error(env_, nullptr, message);
    return nullptr;
  }
  napi_value number(double value) const {
    napi_value result = nullptr;
    napi_create_double(env_, value, &result);
    return result;
  }
  napi_value boolean(bool value) const {
    napi_value result = nullptr;
    napi_get_boolean(env_, value, &result);
    return result;
  }
  napi_value string(const std::string& value) const {
    napi_value result = nullptr;
    napi_create_string_utf8(env_, value.data(), value.size(), &result);
    return result;
  }
  // { errno, syscall }
  napi_value failure(const os::Failure& failure) const {
    napi_value object = nullptr;
    napi_create_object(env_, &object);
    set(object, "errno", number(failure.code));
    set(object, "syscall", string(failure.call));
    return object;
  }
  napi_value bigint(std::uint64_t value) const {
    napi_value result = nullptr;
    napi_create_bigint_uint64(env_, value, &result);
    return result;
  }
  // Any bytes, each of them one character.
  napi_value latin1(const std::string& bytes) const {
    napi_value result = nullptr;
    napi_create_string_latin1(env_, bytes.data(), bytes.size(), &result);
    return result;
  }
  void set(napi_value object, const char* name, napi_value value) const {
    napi_set_named_property(env_, object, name, value);
  }

  // An object that JavaScript can only hand back to us. Of one kind only: nothing tells them apart.
  template <typename Item>
  napi_value wrap(Item* item, void (*dispose)(Item*)) const {
    const auto finalize = [](napi_env, void* data, void* hint) {
      reinterpret_cast<void (*)(Item*)>(hint)(static_cast<Item*>(data));
    };
    napi_value external = nullptr;
    if (napi_create_external(env_, item, finalize, reinterpret_cast<void*>(dispose), &external) !=
        napi_ok) {
      dispose(item);
      return nullptr;
    }
    return external;
  }

 private:
  static constexpr std::size_t kMaxArguments = 9;
  napi_env env_;
  std::size_t count_ = kMaxArguments;
  napi_value arguments_[kMaxArguments] = {};
};

// A string argument: on the stack, in the heap only when it is long.
class Utf8 {
 public:
  Utf8(const Call& call, std::size_t index) {
    const napi_env env = call.env();
    const napi_value value = call.at(index);
    if (napi_get_value_string_utf8(env, value, buffer_, sizeof buffer_, &size_) != napi_ok) return;
    valid_ = true;
    if (size_ < sizeof buffer_ - 4) return;  // a cut falls between characters, up to 3 bytes early
    std::size_t whole = 0;
    napi_get_value_string_utf8(env, value, nullptr, 0, &whole);
    long_.resize(whole + 1);
    napi_get_value_string_utf8(env, value, long_.data(), whole + 1, &size_);
    text_ = long_.data();
  }
  Utf8(const Utf8&) = delete;
  Utf8& operator=(const Utf8&) = delete;

  // A NUL would cut the path short, and another file would be locked.
  bool isPath() const { return valid_ && size_ > 0 && std::memchr(text_, 0, size_) == nullptr; }
  bool valid() const { return valid_; }
  const char* text() const { return text_; }
  std::size_t size() const { return size_; }

 private:
  char buffer_[1024];
  std::string long_;
  const char* text_ = buffer_;
  std::size_t size_ = 0;
  bool valid_ = false;
};

}  // namespace holdfast
