// Facts about a GPU that no count of instructions gives: gaps between kernels in a stream, a graph
// and a graph with PDL; the same with and without one split of L1 and shared memory; whether wgmma
// has the bits of mma.sync; the read bandwidth; the time of each product of a model.
//   gpu_probe [FILE]   writes JSON to FILE or to standard output; exit 69 without a GPU
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/instructions.h"
#include "kernels/cuda/launch.h"
#include "kernels/read_bandwidth.h"

namespace bifrons {
namespace {

using cuda::Grid;
using cuda::must;

constexpr int kChain = 128;  // kernels of a chain
constexpr int kRuns = 9;     // the median counts

// Results, as JSON objects.
class Report {
 public:
  void add(const std::string& name, double value, const std::string& unit) {
    rows_ << (rows_.tellp() > 0 ? ",\n" : "") << "  {\"name\": \"" << name
          << "\", \"value\": " << value << ", \"unit\": \"" << unit << "\"}";
    std::fprintf(stderr, "gpu_probe: %s: %g %s\n", name.c_str(), value, unit.c_str());
  }
  std::string json() const {
    return "{\"kind\": \"probe\", \"schema\": 1, \"rows\": [\n" + rows_.str() + "\n]}\n";
  }

 private:
  std::ostringstream rows_;
};

class Clock {
 public:
  explicit Clock(cudaStream_t stream) : stream_(stream) {
    must(cudaEventCreate(&begin_), "timing");
    must(cudaEventCreate(&end_), "timing");
  }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  ~Clock() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  // Median microseconds of `work` on the stream, after one run that does not count.
  double median(const std::function<void()>& work) {
    std::vector<float> times;
    for (int run = 0; run <= kRuns; ++run) {
      float milliseconds = 0;
      must(cudaEventRecord(begin_, stream_), "timing");
      work();
      must(cudaEventRecord(end_, stream_), "timing");
      must(cudaEventSynchronize(end_), "timing");
      must(cudaEventElapsedTime(&milliseconds, begin_, end_), "timing");
      if (run > 0) times.push_back(milliseconds);
    }
    std::nth_element(times.begin(), times.begin() + kRuns / 2, times.end());
    return 1e3 * times[kRuns / 2];
  }

 private:
  cudaStream_t stream_;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

// ---- gaps between kernels ----

// Each thread adds one to its word, which the kernel before wrote.
__global__ void count_kernel(int* words) {
  cuda::trigger_dependents();
  cuda::grid_dependency_wait();
  words[blockIdx.x * blockDim.x + threadIdx.x] += 1;
}
// The same with a tile of shared memory, like a kernel that streams weights.
__global__ void count_in_shared_kernel(int* words) {
  int* const tile = cuda::dynamic_shared<int>();
  cuda::trigger_dependents();
  cuda::grid_dependency_wait();
  tile[threadIdx.x] = words[blockIdx.x * blockDim.x + threadIdx.x];
  __syncthreads();
  words[blockIdx.x * blockDim.x + threadIdx.x] = tile[threadIdx.x] + 1;
}

constexpr int kBlocks = 128, kThreads = 128;
constexpr int64_t kTile = 96 << 10;

// carveout: -1 leaves the split to the driver.
void start(cudaStream_t stream, bool pdl, void (*kernel)(int*), int64_t shared, int carveout,
           int* words) {
  cuda::allow_shared(kernel, shared);
  must(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout, carveout),
       "choosing a split");
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(kBlocks);
  config.blockDim = dim3(kThreads);
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = pdl ? 1 : 0;
  must(cudaLaunchKernelEx(&config, kernel, words), "starting a kernel");
}

// `chain` as a graph.
double in_graph(cudaStream_t stream, const std::function<void()>& chain) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  must(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "capturing");
  chain();
  must(cudaStreamEndCapture(stream, &graph), "capturing");
  must(cudaGraphInstantiate(&executable, graph, 0), "capturing");
  Clock clock(stream);
  const double time = clock.median([&] { must(cudaGraphLaunch(executable, stream), "running"); });
  cudaGraphExecDestroy(executable);
  cudaGraphDestroy(graph);
  return time;
}

void gaps(cudaStream_t stream, bool pdl_works, Report& report) {
  int* words = nullptr;
  must(cudaMalloc(&words, kBlocks * kThreads * sizeof(int)), "allocating");
  must(cudaMemset(words, 0, kBlocks * kThreads * sizeof(int)), "clearing");
  int64_t expected = 0;
  const auto chain = [&](bool pdl, bool mixed, int carveout) {
    return [=] {
      for (int i = 0; i < kChain; ++i) {
        const bool tile = mixed && i % 2 == 0;
        start(stream, pdl, tile ? count_in_shared_kernel : count_kernel, tile ? kTile : 0, carveout,
              words);
      }
    };
  };
  const auto add = [&](const std::string& name, double time) {
    report.add(name, time / kChain, "us a kernel");
    expected += (1 + kRuns) * kChain;
  };
  Clock clock(stream);
  add("kernels in a stream", clock.median(chain(false, false, 100)));
  add("kernels in a graph", in_graph(stream, chain(false, false, 100)));
  for (const bool pdl : {false, true}) {
    if (pdl && !pdl_works) continue;
    const std::string way = pdl ? "graph with PDL" : "graph";
    if (pdl) add("kernels in a " + way, in_graph(stream, chain(true, false, 100)));
    add(way + ", large and small shared memory, one split",
        in_graph(stream, chain(pdl, true, 100)));
    add(way + ", large and small shared memory, driver's split",
        in_graph(stream, chain(pdl, true, -1)));
  }
  int first = 0;
  must(cudaMemcpy(&first, words, sizeof first, cudaMemcpyDefault), "reading");
  report.add("words that the chains counted wrong", first == expected ? 0 : 1, "");
  cudaFree(words);
}

// ---- wgmma against mma.sync ----

// 64 x 8 results of `steps` x 16 products, by both instructions. a [64][16 steps], b [8][16 steps],
// row-major bf16. One warpgroup.
__global__ void __launch_bounds__(128)
    both_kernel(const uint16_t* a, const uint16_t* b, int steps, float* by_mma, float* by_wgmma) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  __shared__ __align__(128) uint16_t tile[2][8][8];  // halves of k, columns, k
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, pitch = 16 * steps;
  const int row = warp * 16 + lane / 4, k = lane % 4 * 2;
  float c[4] = {}, d[4] = {};
  for (int step = 0; step < steps; ++step) {
    const auto pair = [&](const uint16_t* from) {
      return *reinterpret_cast<const uint32_t*>(from);
    };
    const uint16_t* const first = a + row * pitch + step * 16 + k;
    const uint4 left{pair(first), pair(first + 8 * pitch), pair(first + 8),
                     pair(first + 8 * pitch + 8)};
    const uint16_t* const right = b + lane / 4 * pitch + step * 16 + k;
    cuda::mma_m16n8k16(c, left, pair(right), pair(right + 8));
    __syncthreads();
    tile[threadIdx.x / 64][threadIdx.x / 8 % 8][threadIdx.x % 8] =
        b[threadIdx.x / 8 % 8 * pitch + step * 16 + threadIdx.x / 64 * 8 + threadIdx.x % 8];
    asm volatile("fence.proxy.async;" ::: "memory");
    __syncthreads();
    // No swizzle; 128 bytes from one half of k to the other; one group of eight columns.
    const uint64_t at = __cvta_generic_to_shared(tile);
    const uint64_t describes =
        (at & 0x3ffff) >> 4 | uint64_t{128 >> 4} << 16 | uint64_t{256 >> 4} << 32;
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
    asm volatile(
        "{.reg .pred adds;\nsetp.eq.u32 adds, 0, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "%8, adds, 1, 1, 0;}"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(left.x), "r"(left.y), "r"(left.z), "r"(left.w), "l"(describes));
    asm volatile("wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;" ::: "memory");
  }
  for (int e = 0; e < 4; ++e) {
    const int at = (row + e / 2 * 8) * 8 + k + e % 2;
    by_mma[at] = c[e];
    by_wgmma[at] = d[e];
  }
#endif
}

// Values whose products are exact in f32 (small integers), or of very different sizes.
std::vector<uint16_t> values(int n, bool exact, uint32_t seed) {
  std::vector<uint16_t> all(n);
  for (uint16_t& each : all) {
    seed = seed * 1664525 + 1013904223;
    const float x = exact ? static_cast<float>(static_cast<int>(seed >> 28) - 8)
                          : (static_cast<float>(seed >> 8) / 8388608.0f - 1.0f) *
                                static_cast<float>(1 << (seed & 7)) / 16.0f;
    each = to_bf16(x).bits;
  }
  return all;
}

void instructions(Report& report) {
  constexpr int kSteps = 64, kK = 16 * kSteps, kResults = 64 * 8;
  uint16_t* operands = nullptr;
  float* results = nullptr;
  must(cudaMallocManaged(&operands, 72 * kK * sizeof(uint16_t)), "allocating");
  must(cudaMallocManaged(&results, 2 * kResults * sizeof(float)), "allocating");
  for (const bool exact : {true, false}) {
    int differ = 0, wrong = 0;
    for (uint32_t seed = 1; seed <= (exact ? 1 : 64); ++seed) {
      const std::vector<uint16_t> all = values(72 * kK, exact, seed);
      std::memcpy(operands, all.data(), all.size() * sizeof(uint16_t));
      both_kernel<<<1, 128>>>(operands, operands + 64 * kK, kSteps, results, results + kResults);
      must(cudaGetLastError(), "starting wgmma");
      must(cudaDeviceSynchronize(), "running wgmma");
      for (int i = 0; i < kResults; ++i) {
        differ += std::memcmp(&results[i], &results[kResults + i], sizeof(float)) != 0;
        float sum = 0;
        for (int k = 0; exact && k < kK; ++k) {
          sum += to_float(Bf16{all[i / 8 * kK + k]}) * to_float(Bf16{all[(64 + i % 8) * kK + k]});
        }
        wrong += exact && (results[i] != sum || results[kResults + i] != sum);
      }
    }
    // If exact sums are wrong, the probe is: then the next row says nothing.
    if (exact) report.add("wgmma: wrong exact sums (must be 0)", wrong, "of 512");
    if (!exact) report.add("wgmma: sums with other bits than mma.sync", differ, "of 32768");
  }
  cudaFree(operands);
  cudaFree(results);
}

// ---- products ----

struct Product {
  const char* name;
  int64_t out, in;
};

void products(Backend& b, Report& report) {
  constexpr Product kProducts[] = {
      {"7B q, k and v", 12288, 4096},  {"7B attention out", 4096, 4096},
      {"7B gate and up", 22016, 4096}, {"7B down", 4096, 11008},
      {"7B head", 16384, 4096},        {"1B gate and up", 11264, 2048}};
  constexpr int64_t kCopies = 4;  // weights in turn, so that L2 does not hold them
  constexpr int kCalls = 32;
  for (const Product& p : kProducts) {
    std::vector<std::byte> slab(p.in * 64 * 2);
    uint32_t seed = 1;
    for (size_t i = 0; i < slab.size(); i += 2) {
      seed = seed * 1664525 + 1013904223;
      const Bf16 x = to_bf16((static_cast<float>(seed >> 8) / 8388608.0f - 1.0f) * 0.02f);
      std::memcpy(&slab[i], &x, sizeof x);
    }
    const std::vector<HostArray> parts(p.out / 64, HostArray{slab.data(), DType::kBf16, 64, p.in});
    std::vector<Linear> weights;
    for (int64_t i = 0; i < kCopies; ++i) weights.push_back(b.make_linear(parts, {}));
    for (const int64_t rows : {2, 16, 32, 128}) {
      const Buffer in = b.allocate(rows * p.in * 2), out = b.allocate(rows * p.out * 2);
      const Tensor x = in.view(DType::kBf16, {rows, p.in});
      const Tensor y = out.view(DType::kBf16, {rows, p.out});
      const auto step = b.capture([&] {
        for (int i = 0; i < kCalls; ++i) b.linear(y, x, weights[i % kCopies]);
      });
      std::vector<double> times;
      for (int run = 0; run < 4 * kRuns; ++run) {
        b.synchronize();
        const auto begin = std::chrono::steady_clock::now();
        step->run();
        b.synchronize();
        const std::chrono::duration<double, std::micro> time =
            std::chrono::steady_clock::now() - begin;
        if (step->settled()) times.push_back(time.count() / kCalls);
      }
      if (times.empty()) continue;
      std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
      const double time = times[times.size() / 2];
      report.add(std::string(p.name) + ", " + std::to_string(rows) + " rows", time, "us");
      report.add(std::string(p.name) + ", " + std::to_string(rows) + " rows, weights",
                 static_cast<double>(p.out * p.in * 2) / time / 1e3, "GB/s");
    }
  }
}

int probe(const char* path) {
  const std::unique_ptr<Backend> b = make_cuda_backend();
  Report report;
  const auto write = [&] {  // after every part: the machine may be taken away
    if (path) std::ofstream(path) << report.json();
  };
  cudaDeviceProp properties{};
  cudaFuncAttributes code{};
  must(cudaGetDeviceProperties(&properties, 0), "asking for its properties");
  must(cudaFuncGetAttributes(&code, count_kernel), "asking for its code");
  report.add("multiprocessors", properties.multiProcessorCount, "");
  report.add("L2", static_cast<double>(properties.l2CacheSize) / (1 << 20), "MB");
  cudaStream_t stream = nullptr;
  must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "making a stream");
  gaps(stream, code.ptxVersion >= 90, report);
  write();
  for (const int64_t bytes : {int64_t{1} << 30, int64_t{8} << 30}) {
    const auto read = make_cuda_read_bandwidth(*b, bytes);
    read->measure();
    report.add("read of " + std::to_string(bytes >> 30) + " GB",
               std::max(read->measure(), read->measure()), "GB/s");
  }
  write();
  if (properties.major == 9 && properties.minor == 0) instructions(report);
  write();
  products(*b, report);
  write();
  if (!path) std::cout << report.json();
  return 0;
}

}  // namespace
}  // namespace bifrons

int main(int count, char** words) {
  try {
    return bifrons::probe(count > 1 ? words[1] : nullptr);
  } catch (const bifrons::Error& error) {
    std::cerr << "gpu_probe: " << error.what() << "\n";
    return error.kind() == bifrons::ErrorKind::kUnavailable ? 69 : 1;
  }
}
