// cuDNN's fused convolution: NHWC bf16 in and out, f32 sums, bias and residual in the epilogue. One
// algorithm for every shape and any number of pictures. cuDNN does not promise that a picture's
// sums have the same order among others, so that is checked before it is used
// (vision/networks/vq_together.h).
#include "kernels/cuda/convolution_cudnn.h"

#include <cudnn.h>

#include <array>
#include <map>
#include <string>

#include "kernels/cuda/status.h"
#include "kernels/cuda/weight_order.h"
#include "kernels/headroom.h"
#include "kernels/pictures.h"

namespace bifrons::cuda {
namespace {

constexpr cudnnConvolutionFwdAlgo_t kAlgorithm = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
constexpr int64_t kChannelUnit = 8;  // tensor cores need whole vectors of 16 bytes
constexpr int64_t kLoadingMemory = int64_t{128} << 20;  // bytes

// Since version 9 there are finer status codes; each is counted from the code of its kind.
cudnnStatus_t kind_of(cudnnStatus_t status) {
  const int code = static_cast<int>(status);
  return code < 1000 ? status : static_cast<cudnnStatus_t>(code / 1000 * 1000);
}

// `stream`: of the convolution; null: nothing was started.
void must(cudnnStatus_t status, cudaStream_t stream = nullptr) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  const std::string words = cudnnGetErrorString(status);
  if (kind_of(status) == CUDNN_STATUS_INTERNAL_ERROR ||
      kind_of(status) == CUDNN_STATUS_EXECUTION_FAILED) {
    // Reports a failure of the device itself. A wait for the whole device would break a capture of
    // another thread.
    if (stream) cuda::must(cudaStreamSynchronize(stream), "convolving");
    constexpr int kNoDeviceMemory = 4004;  // by number: only version 9 has a name for it
    if (static_cast<int>(status) == kNoDeviceMemory) {
      throw Error(ErrorKind::kUnavailable, "not enough memory on the GPU while convolving");
    }
  }
  throw Error(ErrorKind::kUnavailable, "cuDNN cannot be used: " + words +
                                           "; a build with BIFRONS_CUDNN=OFF does without it");
}

// Whether cuDNN supports this. Only a refusal may lead to another implementation, because its sums
// differ in their last bits: a temporary failure must not change pixels.
bool accepted(cudnnStatus_t status, cudaStream_t stream = nullptr) {
  const cudnnStatus_t kind = kind_of(status);
  if (kind == CUDNN_STATUS_NOT_SUPPORTED || kind == CUDNN_STATUS_BAD_PARAM) return false;
  must(status, stream);
  return true;
}

struct Shape {
  int64_t pictures, height, width, in, out, kernel;
  auto operator<=>(const Shape&) const = default;
};

cudnnTensorDescriptor_t describe_maps(int64_t pictures, int64_t height, int64_t width,
                                      int64_t channels) {
  cudnnTensorDescriptor_t tensor = nullptr;
  must(cudnnCreateTensorDescriptor(&tensor));
  must(cudnnSetTensor4dDescriptor(tensor, CUDNN_TENSOR_NHWC, CUDNN_DATA_BFLOAT16,
                                  static_cast<int>(pictures), static_cast<int>(channels),
                                  static_cast<int>(height), static_cast<int>(width)));
  return tensor;
}

// cuDNN's descriptors for one shape.
class Plan {
 public:
  Plan(cudnnHandle_t handle, const Shape& shape)
      : x_(describe_maps(shape.pictures, shape.height, shape.width, shape.in)),
        y_(describe_maps(shape.pictures, shape.height, shape.width, shape.out)),
        bias_(describe_maps(1, 1, 1, shape.out)) {
    const int kernel = static_cast<int>(shape.kernel), pad = kernel / 2;
    must(cudnnCreateFilterDescriptor(&filter_));
    must(cudnnSetFilter4dDescriptor(filter_, CUDNN_DATA_BFLOAT16, CUDNN_TENSOR_NHWC,
                                    static_cast<int>(shape.out), static_cast<int>(shape.in), kernel,
                                    kernel));
    must(cudnnCreateConvolutionDescriptor(&convolution_));
    must(cudnnSetConvolution2dDescriptor(convolution_, pad, pad, 1, 1, 1, 1,
                                         CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    must(cudnnSetConvolutionMathType(convolution_, CUDNN_TENSOR_OP_MATH));
    must(cudnnCreateActivationDescriptor(&activation_));
    must(cudnnSetActivationDescriptor(activation_, CUDNN_ACTIVATION_IDENTITY,
                                      CUDNN_NOT_PROPAGATE_NAN, 0.0));
    size_t bytes = 0;
    works_ = accepted(cudnnGetConvolutionForwardWorkspaceSize(handle, x_, filter_, convolution_, y_,
                                                              kAlgorithm, &bytes));
    workspace_ = static_cast<int64_t>(bytes);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    cudnnDestroyActivationDescriptor(activation_);
    cudnnDestroyConvolutionDescriptor(convolution_);
    cudnnDestroyFilterDescriptor(filter_);
    for (cudnnTensorDescriptor_t tensor : {x_, y_, bias_}) cudnnDestroyTensorDescriptor(tensor);
  }

  bool run(cudnnHandle_t handle, Stream& s, const Tensor& y, const Tensor& x, const void* filter,
           const void* bias, const Tensor* residual) {
    if (!works_) return false;
    const float one = 1.0f, zero = 0.0f;
    // Without a residual cuDNN still wants an address, and does not promise that it never reads
    // there: zero times a NaN of old content would be NaN.
    if (!residual) cuda::must(cudaMemsetAsync(y.data, 0, y.bytes(), s.handle), "convolving");
    void* area = workspace_ > 0 ? s.workspace.area(workspace_) : nullptr;
    works_ = accepted(cudnnConvolutionBiasActivationForward(
                          handle, &one, x_, x.data, filter_, filter, convolution_, kAlgorithm, area,
                          workspace_, residual ? &one : &zero, y_,
                          residual ? residual->data : y.data, bias_, bias, activation_, y_, y.data),
                      s.handle);
    return works_;
  }

 private:
  cudnnTensorDescriptor_t x_, y_, bias_;
  cudnnFilterDescriptor_t filter_ = nullptr;
  cudnnConvolutionDescriptor_t convolution_ = nullptr;
  cudnnActivationDescriptor_t activation_ = nullptr;
  int64_t workspace_ = 0;
  bool works_ = false;
};

}  // namespace

struct CudnnConvolutions::State {
  cudnnHandle_t handle = nullptr;
  std::map<Shape, Plan> plans;

  State() { must(cudnnCreate(&handle)); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    plans.clear();
    cudnnDestroy(handle);
  }
};

CudnnConvolutions::CudnnConvolutions() = default;
CudnnConvolutions::~CudnnConvolutions() = default;

bool CudnnConvolutions::takes(const HostArray& weight, const HostArray& bias, int64_t kernel,
                              Padding padding) {
  return weight.dtype == DType::kBf16 && bias.dtype == DType::kBf16 &&
         padding != Padding::kRightBottom && weight.rows % kChannelUnit == 0 &&
         weight.cols / (kernel * kernel) % kChannelUnit == 0;
}

bool CudnnConvolutions::run(Stream& s, const Tensor& y, const Tensor& x, const Convolution& weight,
                            const Tensor* residual) {
  // cuDNN has no parameter for the pitch of rows and assumes alignment.
  if (!in_vectors(x) || !in_vectors(y) || (residual && !in_vectors(*residual))) return false;
  if (!state_) state_ = std::make_unique<State>();
  must(cudnnSetStream(state_->handle, s.handle));
  const Shape shape{picture_count(x), x.shape[x.rank - 3], x.shape[x.rank - 2],
                    weight.in,        weight.out,          weight.kernel};
  const auto [plan, made] = state_->plans.try_emplace(shape, state_->handle, shape);
  const std::byte* filter =
      static_cast<const std::byte*>(weight.storage.data()) + cudnn_offset(weight);
  const void* bias =
      filter + weight.out * weight.in * weight.kernel * weight.kernel * size_of(DType::kBf16);
  return plan->second.run(state_->handle, s, y, x, filter, bias, residual);
}

std::string_view CudnnConvolutions::name() {
  // 91400 means 9.14; before version 9, 8902 meant 8.9.
  const auto words_of = [](size_t version) {
    const size_t major = version < 10000 ? 1000 : 10000;
    return "cuDNN " + std::to_string(version / major) + "." + std::to_string(version % major / 100);
  };
  // The call loads the library's parts, and the process ends where they find no memory.
  require_memory(kLoadingMemory);
  static const std::string words = words_of(cudnnGetVersion());
  return words;
}

}  // namespace bifrons::cuda
