// A signal handler cannot allocate, so the sentence is put together in a fixed room.
#include "tools/bifrons/stop_sentence.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string_view>

namespace bifrons::cli {
namespace {

// Negative: nothing is said of pictures.
std::atomic<int64_t> pictures_before{-1}, pictures_now{0};
std::atomic<bool> fresh{false};
static_assert(std::atomic<int64_t>::is_always_lock_free);
static_assert(std::atomic<bool>::is_always_lock_free);

// What does not fit is left out.
struct FixedText {
  char room[256];
  size_t size = 0;

  void add(std::string_view text) {
    for (const char c : text) {
      if (size < sizeof room) room[size++] = c;
    }
  }
  void add(int64_t number) {
    char digits[20];
    size_t from = sizeof digits;
    do {
      digits[--from] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number > 0);
    add(std::string_view(digits + from, sizeof digits - from));
  }
  void add_stopped(int64_t done, int64_t now) {
    add("stopped");
    if (done < 0) return;
    add("; ");
    add(done);
    add(" pictures are done, ");
    add(now);
    add(" of them now; ");
    add(how_to_go_on());
  }
};

}  // namespace

void set_fresh(bool is_fresh) { fresh.store(is_fresh); }

std::string_view how_to_go_on() {
  return fresh.load() ? "the same command without --fresh goes on from there"
                      : "the same command goes on from there";
}

std::string stopped_sentence(int64_t done, int64_t now) {
  FixedText sentence;
  sentence.add_stopped(done, now);
  return {sentence.room, sentence.size};
}

void set_pictures_before(int64_t before) { pictures_before.store(before); }

void count_picture() { ++pictures_now; }

void write_stop_sentence() {
  FixedText sentence;
  sentence.add("bifrons: ");
  const int64_t before = pictures_before.load(), now = pictures_now.load();
  sentence.add_stopped(before < 0 ? before : before + now, now);
  sentence.add("\n");
  // Errors of stderr are ignored.
  if (write(STDERR_FILENO, sentence.room, sentence.size) < 0) errno = 0;
}

}  // namespace bifrons::cli
