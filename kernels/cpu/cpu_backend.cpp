// Loads weights into the layouts of the CPU kernels.
#include "kernels/cpu/cpu_backend.h"

#include <cstring>
#include <vector>

#include "kernels/cpu/memory.h"
#include "kernels/host_arrays.h"
#include "kernels/pictures.h"

namespace bifrons {
namespace cpu {
namespace {

Buffer widened(std::span<const HostArray> parts) {
  const std::vector<float> values = widened_values(parts);
  const int64_t bytes = static_cast<int64_t>(values.size()) * size_of(DType::kF32);
  Buffer buffer = allocate_host(bytes);
  std::memcpy(buffer.data(), values.data(), bytes);
  return buffer;
}

}  // namespace

CpuBackend::CpuBackend(int threads, const InstructionSet& isa)
    : isa_(isa),
      pool_(threads > 0 ? threads : available_cores()),
      linear_(isa),
      quantised_(isa),
      description_(std::string(isa.name) + ", " + std::to_string(pool_.threads()) +
                   (pool_.threads() == 1 ? " thread" : " threads")) {}

Buffer CpuBackend::allocate(int64_t bytes) { return allocate_host(bytes); }

void CpuBackend::upload(const Tensor& to, const void* host) {
  check(to.contiguous() && to.space == MemorySpace::kHost,
        "upload: the destination is not contiguous");
  if (to.bytes() > 0) std::memcpy(to.data, host, to.bytes());
}

void CpuBackend::download(void* host, const Tensor& from) {
  check(from.contiguous() && from.space == MemorySpace::kHost,
        "download: the source is not contiguous");
  if (from.bytes() > 0) std::memcpy(host, from.data, from.bytes());
}

Linear CpuBackend::make_linear(std::span<const HostArray> parts, std::span<const HostArray> bias) {
  check_parts(parts, bias);
  Linear linear;
  linear.dtype = parts[0].dtype;
  linear.in = parts[0].cols;
  for (const HostArray& part : parts) linear.out += part.rows;
  const int64_t bytes = panel_count(linear.out) * panel_bytes(linear.dtype, linear.in);
  linear.storage = allocate_host(bytes);
  pack_panels(pool_, linear.storage.view(DType::kU8, {bytes}), parts);
  if (!bias.empty()) linear.bias = widened(bias);
  return linear;
}

Linear CpuBackend::make_quantised_linear(std::span<const QuantisedArray> parts,
                                         std::span<const HostArray> bias) {
  Linear linear = checked_linear(parts, bias);
  const int64_t bytes =
      quantised_panel_count(linear.out) * quantised_panel_bytes(linear.format, linear.in);
  linear.storage = allocate_host(bytes);
  pack_quantised(pool_, linear.storage.view(DType::kU8, {bytes}), parts);
  if (!bias.empty()) linear.bias = widened(bias);
  return linear;
}

Convolution CpuBackend::make_convolution(const HostArray& weight, const HostArray& bias,
                                         int64_t kernel, Padding padding) {
  return convolutions_.make(weight, bias, kernel, padding);
}

Norm CpuBackend::make_norm(const HostArray& weight, const HostArray* bias) {
  Norm norm;
  norm.size = weight.rows * weight.cols;
  norm.weight = widened({&weight, 1});
  check(!bias || bias->rows * bias->cols == norm.size, "make_norm: bias does not fit weight");
  if (bias) norm.bias = widened({bias, 1});
  return norm;
}

Table CpuBackend::make_table(const HostArray& rows) {
  check(is_stored(rows.dtype), "make_table: rows are f32, bf16 or f16");
  Table table;
  table.rows = rows.rows;
  table.cols = rows.cols;
  table.dtype = rows.dtype;
  const int64_t bytes = rows.rows * rows.cols * size_of(rows.dtype);
  table.storage = allocate_host(bytes);
  if (bytes > 0) std::memcpy(table.storage.data(), rows.data, bytes);
  return table;
}

void CpuBackend::do_group_norm(const Tensor& y, const Tensor& x, const Norm& norm, int64_t groups,
                               double eps, bool silu) {
  for (int64_t p = 0; p < picture_count(x); ++p) {
    cpu::group_norm(pool_, isa_, picture_of(y, p), picture_of(x, p), norm, groups, eps, silu);
  }
}

void CpuBackend::do_conv2d(const Tensor& y, const Tensor& x, const Convolution& weight,
                           const Tensor* residual) {
  for (int64_t p = 0; p < picture_count(x); ++p) {
    const Tensor added = residual ? picture_of(*residual, p) : Tensor{};
    convolutions_.run(pool_, picture_of(y, p), picture_of(x, p), weight,
                      residual ? &added : nullptr);
  }
}

void CpuBackend::do_upsample2x(const Tensor& y, const Tensor& x) {
  for (int64_t p = 0; p < picture_count(x); ++p) {
    cpu::upsample2x(pool_, picture_of(y, p), picture_of(x, p));
  }
}

void CpuBackend::do_full_attention(const Tensor& y, const Tensor& q, const Tensor& k,
                                   const Tensor& v, int64_t heads) {
  for (int64_t p = 0; p < picture_count(q, 2); ++p) {
    cpu::full_attention(pool_, isa_, gemm_, picture_of(y, p, 2), picture_of(q, p, 2),
                        picture_of(k, p, 2), picture_of(v, p, 2), heads);
  }
}

void CpuBackend::do_to_pixels(const Tensor& pixels, const Tensor& x, const Tensor& not_finite) {
  for (int64_t p = 0; p < picture_count(x); ++p) {
    const Tensor word(not_finite.as<int32_t>() + p, DType::kI32, {1});
    cpu::to_pixels(pool_, picture_of(pixels, p), picture_of(x, p), word);
  }
}

}  // namespace cpu

std::unique_ptr<Backend> make_cpu_backend(int threads, std::string_view isa) {
  if (threads < 0) throw Error(ErrorKind::kUsage, "threads: must be 0 or more");
  return std::make_unique<cpu::CpuBackend>(threads, cpu::instruction_set(isa));
}

}  // namespace bifrons
