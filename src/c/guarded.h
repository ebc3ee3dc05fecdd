// What the functions of the C interface share: exceptions to statuses, structures of other
// versions.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "src/bifrons.h"
#include "src/c/bifrons_c.h"
#include "src/edit.h"
#include "src/think.h"
#include "vision/pictures/picture_read.h"

struct bifrons_engine {
  bifrons::Engine engine;
  std::string device;
};

struct bifrons_thinking {
  std::shared_ptr<const bifrons::Thinking> thinking;
};

struct bifrons_editor {
  bifrons::Editor editor;
};

namespace bifrons::c {

// Copies a message, cut before a whole UTF-8 character.
inline bifrons_status fail(bifrons_error* error, bifrons_status status, std::string_view message) {
  if (error == nullptr) return status;
  error->status = status;
  size_t length = std::min(message.size(), sizeof error->message - 1);
  if (length < message.size()) {
    while (length > 0 && (static_cast<unsigned char>(message[length]) & 0xc0) == 0x80) --length;
  }
  std::memcpy(error->message, message.data(), length);
  error->message[length] = '\0';
  return status;
}

// Runs `work` and converts what it throws.
template <typename Work>
bifrons_status guarded(bifrons_error* error, const Work& work) {
  try {
    work();
    if (error != nullptr) fail(error, BIFRONS_OK, "");
    return BIFRONS_OK;
  } catch (const Error& fault) {
    return fail(error, static_cast<bifrons_status>(fault.exit_code()), fault.what());
  } catch (const std::bad_alloc&) {
    return fail(error, BIFRONS_UNAVAILABLE, "not enough memory");
  } catch (const std::exception& fault) {
    return fail(error, BIFRONS_FAILED, fault.what());
  } catch (...) {
    return fail(error, BIFRONS_FAILED, "an unknown failure");
  }
}

// Throws Error (usage) for a null pointer.
template <typename T>
T& required(T* pointer, const char* name) {
  if (pointer == nullptr) throw Error(ErrorKind::kUsage, std::string(name) + " is a null pointer");
  return *pointer;
}

inline std::string text_of(const char* text, const char* name) { return &required(text, name); }

// Fills the caller's structure, which may be shorter or longer than that of this version.
template <typename T>
void copy_out(const T& from, T* to, size_t size) {
  if (to == nullptr) return;
  std::memset(to, 0, size);
  std::memcpy(to, &from, std::min(size, sizeof from));
  if (size >= sizeof(size_t)) std::memcpy(to, &size, sizeof size);  // the first member is `size`
}

// The caller's structure over `defaults`, which fill members that the caller's version lacks.
template <typename T>
T copy_in(const T* from, T defaults, const char* name) {
  const size_t size = required(from, name).size;
  if (size < sizeof(size_t)) {
    throw Error(ErrorKind::kUsage, std::string(name) + " was not initialised by its init function");
  }
  std::memcpy(static_cast<void*>(&defaults), from, std::min(size, sizeof defaults));
  return defaults;
}

// The caller's pixels. Throws Error (usage): a size that read_picture() would refuse.
inline Picture picture_of(const uint8_t* rgb, int64_t width, int64_t height) {
  if (width < 1 || height < 1 || width > kMostPictureSide || height > kMostPictureSide ||
      width * height > kMostPicturePixels) {
    throw Error(ErrorKind::kUsage, "a picture of " + std::to_string(width) + " x " +
                                       std::to_string(height) + " pixels is not read");
  }
  const uint8_t* begin = &required(rgb, "rgb");
  return {width, height, {begin, begin + width * height * 3}};
}

// Memory for bifrons_free().
template <typename T>
T* allocated(const T* from, size_t count, size_t zeros) {
  T* memory = static_cast<T*>(std::malloc(std::max<size_t>(1, (count + zeros) * sizeof(T))));
  if (memory == nullptr) throw std::bad_alloc();
  if (count > 0) std::memcpy(memory, from, count * sizeof(T));
  std::fill(memory + count, memory + count + zeros, T{});
  return memory;
}

}  // namespace bifrons::c
