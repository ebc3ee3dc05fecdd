// The ops at the end of a decode step: classifier-free guidance, the sampler, forced and recorded
// ids, counters.
#include <algorithm>

#include "kernels/backend.h"
#include "kernels/call_checks.h"
#include "kernels/run_op.h"

namespace bifrons {
namespace {

// The rows of each of `pictures` in an array with `count` of them: two or more.
int64_t rows_of_each(const char* op, const char* what, int64_t count, int64_t pictures) {
  require(pictures == 0 ? count == 0 : count % pictures == 0 && count >= 2 * pictures,
          "{}: {} {} are not two or more for each of {} pictures", op, count, what, pictures);
  return pictures == 0 ? 2 : count / pictures;
}

void check_guide(MemorySpace space, const Tensor& guided, const Tensor& logits,
                 const Tensor& scale) {
  const Checker c{"guide", space};
  c.typed("guided", guided, DType::kF32);
  c.typed("logits", logits, DType::kF32);
  const int64_t rows = rows_of_each("guide", "rows of logits", logits.rows(), guided.rows());
  c.array("scale", scale, DType::kF32, (rows - 1) * guided.rows());
  c.equal("columns of logits", logits.cols(), "columns of guided", guided.cols());
}

void check_sample(MemorySpace space, const Tensor& ids, const Tensor& guided,
                  const SampleControls& controls) {
  const Checker c{"sample", space};
  const int64_t pictures = guided.rows();
  c.typed("guided", guided, DType::kF32);
  c.array("ids", ids, DType::kI32, pictures * rows_of_each("sample", "ids", ids.count(), pictures));
  c.array("temperature", controls.temperature, DType::kF32, pictures);
  c.array("top_k", controls.top_k, DType::kI32, pictures);
  c.array("top_p", controls.top_p, DType::kF32, pictures);
  c.array("step", controls.step, DType::kI32, pictures);
  c.typed("seed", controls.seed, DType::kI32);
  c.whole("seed", controls.seed);
  require(controls.seed.rank == 2 && controls.seed.rows() == pictures && controls.seed.cols() == 2,
          "sample: seed is {}; it must be two words for each of {} pictures",
          shape_of(controls.seed), pictures);
}

void check_force_ids(MemorySpace space, const Tensor& ids, const Tensor& forced,
                     const Tensor& step) {
  const Checker c{"force_ids", space};
  c.typed("forced", forced, DType::kI32);
  c.rank("forced", forced, 2);
  c.array("ids", ids, DType::kI32,
          forced.rows() * rows_of_each("force_ids", "ids", ids.count(), forced.rows()));
  c.array("step", step, DType::kI32, forced.rows());
}

void check_record_ids(MemorySpace space, const Tensor& ring, const Tensor& ids,
                      const Tensor& step) {
  const Checker c{"record_ids", space};
  c.typed("ring", ring, DType::kI32);
  c.rank("ring", ring, 2);
  require(ring.cols() > 0, "record_ids: ring is {}", shape_of(ring));
  c.array("ids", ids, DType::kI32,
          ring.rows() * rows_of_each("record_ids", "ids", ids.count(), ring.rows()));
  c.array("step", step, DType::kI32, ring.rows());
}

// Returns the number of columns.
int64_t check_accept_drafts(MemorySpace space, const DraftWindows& windows, const Tensor& ids) {
  const Checker c{"accept_drafts", space};
  const int64_t pictures = windows.pass.count(), columns = windows.step.count();
  require(columns % std::max<int64_t>(1, pictures) == 0 && columns >= pictures &&
              columns <= kMostWindow * pictures,
          "accept_drafts: {} columns are not windows of {} pictures", columns, pictures);
  c.array("pass", windows.pass, DType::kI32, pictures);
  c.array("step", windows.step, DType::kI32, columns);
  const int64_t rows = rows_of_each("accept_drafts", "inputs", windows.inputs.count(), columns);
  c.array("inputs", windows.inputs, DType::kI32, rows * columns);
  c.array("position", windows.position, DType::kI32, rows * columns);
  c.array("ids", ids, DType::kI32, rows * columns);
  c.typed("forced", windows.forced, DType::kI32);
  c.typed("ring", windows.ring, DType::kI32);
  c.equal("rows of forced", windows.forced.rows(), "pictures", pictures);
  c.equal("rows of ring", windows.ring.rows(), "pictures", pictures);
  require(pictures == 0 || windows.ring.cols() >= 1 + columns / pictures,
          "accept_drafts: ring is {}, too small for a pass", shape_of(windows.ring));
  return columns;
}

}  // namespace

void Backend::guide(const Tensor& guided, const Tensor& logits, const Tensor& scale) {
  check_guide(memory_space(), guided, logits, scale);
  const int64_t flops = 3 * (logits.count() - guided.count());
  run(Op::kGuide, logits.bytes() + guided.bytes() + scale.bytes(), flops,
      [&] { do_guide(guided, logits, scale); });
}

void Backend::sample(const Tensor& ids, const Tensor& guided, const SampleControls& controls) {
  check_sample(memory_space(), ids, guided, controls);
  run(Op::kSample, guided.bytes() + ids.bytes(), 2 * guided.count(),
      [&] { do_sample(ids, guided, controls); });
}

void Backend::guide_sample(const Tensor& ids, const Tensor& guided, const Tensor& logits,
                           const Tensor& scale, const SampleControls& controls) {
  check_guide(memory_space(), guided, logits, scale);
  check_sample(memory_space(), ids, guided, controls);
  if (run_if(Op::kGuideSample, logits.bytes() + guided.bytes() + scale.bytes() + ids.bytes(),
             3 * logits.count() - guided.count(),
             [&] { return do_guide_sample(ids, guided, logits, scale, controls); }))
    return;
  guide(guided, logits, scale);
  sample(ids, guided, controls);
}

void Backend::force_ids(const Tensor& ids, const Tensor& forced, const Tensor& step) {
  check_force_ids(memory_space(), ids, forced, step);
  run(Op::kForceIds, ids.bytes() + 2 * step.bytes(), 0, [&] { do_force_ids(ids, forced, step); });
}

void Backend::record_ids(const Tensor& ring, const Tensor& ids, const Tensor& step) {
  check_record_ids(memory_space(), ring, ids, step);
  run(Op::kRecordIds, 3 * step.bytes(), 0, [&] { do_record_ids(ring, ids, step); });
}

void Backend::advance(const Tensor& counters) {
  const Checker c{"advance", memory_space()};
  c.typed("counters", counters, DType::kI32);
  run(Op::kAdvance, 2 * counters.bytes(), 0, [&] { do_advance(counters); });
}

void Backend::accept_drafts(const DraftWindows& windows, const Tensor& ids) {
  const int64_t columns = check_accept_drafts(memory_space(), windows, ids);
  // Of a column: inputs and positions of its rows and the step, read and written, ids and a code.
  run(Op::kAcceptDrafts, (5 * windows.rows() + 3) * columns * size_of(DType::kI32), 0,
      [&] { do_accept_drafts(windows, ids); });
}

void Backend::finish_step(const Tensor& ids, const Tensor& forced, const Tensor& ring,
                          const Tensor& step, const Tensor& position) {
  check_force_ids(memory_space(), ids, forced, step);
  check_record_ids(memory_space(), ring, ids, step);
  Checker{"advance", memory_space()}.array("position", position, DType::kI32, ids.count());
  if (run_if(Op::kFinishStep,
             ids.bytes() + 2 * ring.rows() * size_of(DType::kI32) + 2 * step.bytes() +
                 2 * position.bytes(),
             0, [&] { return do_finish_step(ids, forced, ring, step, position); }))
    return;
  force_ids(ids, forced, step);
  record_ids(ring, ids, step);
  advance(position);
  advance(step);
}

}  // namespace bifrons
