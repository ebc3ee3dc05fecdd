// What a batch that was stopped says: how many pictures are done, and how to go on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bifrons::cli {

// Whether the batch began with --fresh: the same command would begin again. Thread-safe.
void set_fresh(bool is_fresh);
// "the same command goes on from there", or what goes on after --fresh.
std::string_view how_to_go_on();

// "stopped; 12 pictures are done, 3 of them now; the same command goes on from there". Without the
// pictures if `done` is negative.
std::string stopped_sentence(int64_t done, int64_t now);

// From now on write_stop_sentence() speaks of pictures: `before` are done from earlier runs. May be
// called again. Both are thread-safe.
void set_pictures_before(int64_t before);
// One more picture of this run is done.
void count_picture();

// Writes "bifrons: " and the sentence to stderr, without the pictures before the first call of
// set_pictures_before(). May be called by a signal handler.
void write_stop_sentence();

}  // namespace bifrons::cli
