// Opens a GPU, and loads weights into the layouts of the CUDA kernels.
#include "kernels/cuda/cuda_backend.h"

#include <cstring>
#include <vector>

#include "kernels/cuda/device.h"
#include "kernels/cuda/status.h"
#include "kernels/cuda/weight_order.h"
#include "kernels/device_memory.h"
#include "kernels/host_arrays.h"

namespace bifrons {
namespace cuda {
namespace {

class CudaEvent final : public Event {
 public:
  explicit CudaEvent(cudaStream_t stream) {
    must(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "marking its work");
    if (const cudaError_t status = cudaEventRecord(event_, stream); status != cudaSuccess) {
      cudaEventDestroy(event_);
      must(status, "marking its work");
    }
  }
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;
  ~CudaEvent() override { cudaEventDestroy(event_); }
  void wait() override { must(cudaEventSynchronize(event_), "computing"); }

 private:
  cudaEvent_t event_ = nullptr;
};

// Programmatic dependent launch (PDL) as the caller asks, else where it is faster. Code for older
// GPUs has no grid_dependency_wait(), also when a later GPU runs it, so it never uses PDL.
PdlMode pdl_mode(int code, std::optional<bool> asked) {
  if (code < 90) return PdlMode::kNever;
  if (!asked) return PdlMode::kIfFaster;
  return *asked ? PdlMode::kAlways : PdlMode::kNever;
}

}  // namespace

CudaBackend::CudaBackend(int device, bool low_priority, std::optional<bool> pdl) : device_(device) {
  description_ = open_device(device);
  const int code = code_generation();
  if (!CudnnConvolutions::name().empty()) {
    description_ += ", " + std::string(CudnnConvolutions::name());
  }
  int least = 0, greatest = 0;
  must(cudaDeviceGetStreamPriorityRange(&least, &greatest), "asking for its priorities");
  must(cudaStreamCreateWithPriority(&stream_.handle, cudaStreamNonBlocking,
                                    low_priority ? least : greatest),
       "making a stream");
  pdl_ = pdl_mode(code, pdl);
  stream_.pdl = pdl_ == PdlMode::kAlways;
  int shared = 0;
  must(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
       "asking for its shared memory");
  stream_.shared_bytes = shared - 1024;  // such kernels also have a little static shared memory
}

CudaBackend::~CudaBackend() { cudaStreamSynchronize(stream_.handle); }

Stream& CudaBackend::on_card() {
  must(cudaSetDevice(device_), "choosing the card");
  return stream_;
}

Buffer CudaBackend::allocate(int64_t bytes) {
  on_card();
  return allocate_device(bytes);
}

// The driver finds the direction of a copy: a tensor may lie in pinned memory of the host
// (allocate_shared()), for which a direction of our own would be wrong.
void CudaBackend::upload(const Tensor& to, const void* host) {
  check(to.contiguous() && to.space == MemorySpace::kDevice,
        "upload: the destination is not contiguous");
  if (to.bytes() == 0) return;
  must(cudaMemcpyAsync(to.data, host, to.bytes(), cudaMemcpyDefault, on_card().handle),
       "copying to it");
  synchronize();  // the caller may free `host`
}

void CudaBackend::download(void* host, const Tensor& from) {
  check(from.contiguous() && from.space == MemorySpace::kDevice,
        "download: the source is not contiguous");
  if (from.bytes() == 0) return;
  must(cudaMemcpyAsync(host, from.data, from.bytes(), cudaMemcpyDefault, on_card().handle),
       "copying from it");
  synchronize();
}

Buffer CudaBackend::allocate_shared(int64_t bytes) {
  Buffer buffer = allocate_mapped(bytes, on_card().handle);
  std::memset(buffer.data(), 0, bytes);
  return buffer;
}

std::optional<int64_t> CudaBackend::free_bytes() {
  on_card();
  size_t free = 0, total = 0;
  must(cudaMemGetInfo(&free, &total), "asking for its free memory");
  return static_cast<int64_t>(free);
}

void CudaBackend::synchronize() { must(cudaStreamSynchronize(on_card().handle), "computing"); }

std::unique_ptr<Event> CudaBackend::record_event() {
  return std::make_unique<CudaEvent>(on_card().handle);
}

std::unique_ptr<CapturedStep> CudaBackend::capture(std::function<void()> step) {
  check(step != nullptr, "capture: no step");
  return capture_graph(on_card(), pdl_, meter(), step);
}

Buffer CudaBackend::widened(std::span<const HostArray> parts) {
  const std::vector<float> values = widened_values(parts);
  const int64_t n = static_cast<int64_t>(values.size());
  Buffer buffer = allocate(n * size_of(DType::kF32));
  upload(buffer.view(DType::kF32, {n}), values.data());
  return buffer;
}

Linear CudaBackend::make_linear(std::span<const HostArray> parts, std::span<const HostArray> bias) {
  check_parts(parts, bias);
  Linear linear;
  linear.dtype = parts[0].dtype;
  linear.in = parts[0].cols;
  for (const HostArray& part : parts) linear.out += part.rows;
  const int64_t n = stored_elements(linear.dtype, linear.out, linear.in);
  linear.storage = allocate(n * size_of(linear.dtype));
  lay_weights(on_card(), linear.storage.view(linear.dtype, {n}), parts, 1);
  if (!bias.empty()) linear.bias = widened(bias);
  return linear;
}

Linear CudaBackend::make_quantised_linear(std::span<const QuantisedArray> parts,
                                          std::span<const HostArray> bias) {
  Linear linear = checked_linear(parts, bias);
  const int64_t bytes = quantised_storage(linear.format, linear.out, linear.in);
  linear.storage = allocate(bytes);
  lay_quantised(on_card(), linear.storage.view(DType::kU8, {bytes}), parts);
  if (!bias.empty()) linear.bias = widened(bias);
  return linear;
}

Convolution CudaBackend::make_convolution(const HostArray& weight, const HostArray& bias,
                                          int64_t kernel, Padding padding) {
  check(is_stored(weight.dtype) && is_stored(bias.dtype),
        "make_convolution: weights are f32, bf16 or f16");
  check(bias.rows * bias.cols == weight.rows && weight.cols % (kernel * kernel) == 0,
        "make_convolution: the bias or the kernel does not fit the weight");
  Convolution result;
  result.out = weight.rows;
  result.in = weight.cols / (kernel * kernel);
  result.kernel = kernel;
  result.padding = padding;
  result.dtype = weight.dtype;
  const int64_t n = stored_elements(weight.dtype, weight.rows, weight.cols);
  const bool library = CudnnConvolutions::takes(weight, bias, kernel, padding);
  const int64_t rows = weight.rows * weight.cols, element = size_of(weight.dtype);
  result.storage = allocate((n + (library ? rows + weight.rows : 0)) * element);
  lay_weights(on_card(), result.storage.view(weight.dtype, {n}), {&weight, 1}, kernel * kernel);
  if (library) {
    result.id = 0;
    lay_weights(on_card(), result.storage.view(weight.dtype, {rows}, n * element), {&weight, 1},
                kernel * kernel, WeightOrder::kRows);
    upload(result.storage.view(bias.dtype, {weight.rows}, (n + rows) * element), bias.data);
  }
  result.bias = widened({&bias, 1});
  return result;
}

Norm CudaBackend::make_norm(const HostArray& weight, const HostArray* bias) {
  Norm norm;
  norm.size = weight.rows * weight.cols;
  norm.weight = widened({&weight, 1});
  check(!bias || bias->rows * bias->cols == norm.size, "make_norm: bias does not fit weight");
  if (bias) norm.bias = widened({bias, 1});
  return norm;
}

Table CudaBackend::make_table(const HostArray& rows) {
  check(is_stored(rows.dtype), "make_table: rows are f32, bf16 or f16");
  Table table;
  table.rows = rows.rows;
  table.cols = rows.cols;
  table.dtype = rows.dtype;
  const int64_t bytes = rows.rows * rows.cols * size_of(rows.dtype);
  const bool small = bytes <= kLargestTableOnCard;
  table.storage = small ? allocate(bytes) : allocate_mapped(bytes, on_card().handle);
  if (small) {
    upload(table.storage.view(DType::kU8, {bytes}), rows.data);
  } else {
    std::memcpy(table.storage.data(), rows.data, bytes);
  }
  return table;
}

void CudaBackend::do_copy(const Tensor& to, const Tensor& from) {
  if (to.count() == 0) return;
  const int64_t element = size_of(to.dtype);
  must(cudaMemcpy2DAsync(to.data, to.pitch * element, from.data, from.pitch * element,
                         to.cols() * element, to.rows(), cudaMemcpyDefault, on_card().handle),
       "copying within it");
}

int64_t cudnn_offset(const Convolution& weight) {
  return stored_elements(weight.dtype, weight.out, weight.in * weight.kernel * weight.kernel) *
         size_of(weight.dtype);
}

}  // namespace cuda
}  // namespace bifrons
