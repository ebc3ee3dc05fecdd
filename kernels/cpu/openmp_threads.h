// The two functions of the OpenMP runtime that set how many threads oneDNN uses. They are declared
// here because oneDNN is linked with GNU's runtime (libgomp), and a compiler other than GCC has
// only the header of a runtime of its own, or none.
#pragma once

extern "C" {
int omp_get_max_threads() noexcept;
void omp_set_num_threads(int threads) noexcept;
}
