// The ops at the end of a step: what is drawn, and how the next step learns of it.
#include "kernels/backend.h"
#include "kernels/call_checks.h"

namespace bifrons {
namespace {

void check_guide(Place place, const Tensor& guided, const Tensor& logits, const Tensor& scale) {
  const Checker c{"guide", place};
  c.typed("guided", guided, DType::kF32);
  c.typed("logits", logits, DType::kF32);
  c.array("scale", scale, DType::kF32, guided.rows());
  c.equal("rows of logits", logits.rows(), "twice the rows of guided", 2 * guided.rows());
  c.equal("columns of logits", logits.cols(), "columns of guided", guided.cols());
}

void check_sample(Place place, const Tensor& ids, const Tensor& guided,
                  const SampleControls& controls) {
  const Checker c{"sample", place};
  const int64_t pictures = guided.rows();
  c.typed("guided", guided, DType::kF32);
  c.array("ids", ids, DType::kI32, 2 * pictures);
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

void check_keep(Place place, const Tensor& ids, const Tensor& fixed, const Tensor& step) {
  const Checker c{"keep", place};
  c.typed("fixed", fixed, DType::kI32);
  c.rank("fixed", fixed, 2);
  c.array("ids", ids, DType::kI32, 2 * fixed.rows());
  c.array("step", step, DType::kI32, fixed.rows());
}

void check_note(Place place, const Tensor& notes, const Tensor& ids, const Tensor& step) {
  const Checker c{"note", place};
  c.typed("notes", notes, DType::kI32);
  c.rank("notes", notes, 2);
  require(notes.cols() > 0, "note: notes is {}", shape_of(notes));
  c.array("ids", ids, DType::kI32, 2 * notes.rows());
  c.array("step", step, DType::kI32, notes.rows());
}

}  // namespace

void Backend::guide(const Tensor& guided, const Tensor& logits, const Tensor& scale) {
  check_guide(place(), guided, logits, scale);
  meter_.add(Op::kGuide, logits.bytes() + guided.bytes() + scale.bytes(), 3 * guided.count());
  do_guide(guided, logits, scale);
}

void Backend::sample(const Tensor& ids, const Tensor& guided, const SampleControls& controls) {
  check_sample(place(), ids, guided, controls);
  meter_.add(Op::kSample, guided.bytes() + ids.bytes(), 2 * guided.count());
  do_sample(ids, guided, controls);
}

void Backend::guide_sample(const Tensor& ids, const Tensor& guided, const Tensor& logits,
                           const Tensor& scale, const SampleControls& controls) {
  check_guide(place(), guided, logits, scale);
  check_sample(place(), ids, guided, controls);
  if (do_guide_sample(ids, guided, logits, scale, controls)) {
    meter_.add(Op::kGuideSample, logits.bytes() + guided.bytes() + scale.bytes() + ids.bytes(),
               5 * guided.count());
    return;
  }
  guide(guided, logits, scale);
  sample(ids, guided, controls);
}

void Backend::keep(const Tensor& ids, const Tensor& fixed, const Tensor& step) {
  check_keep(place(), ids, fixed, step);
  meter_.add(Op::kKeep, ids.bytes() + 2 * step.bytes(), 0);
  do_keep(ids, fixed, step);
}

void Backend::note(const Tensor& notes, const Tensor& ids, const Tensor& step) {
  check_note(place(), notes, ids, step);
  meter_.add(Op::kNote, 3 * step.bytes(), 0);
  do_note(notes, ids, step);
}

void Backend::advance(const Tensor& counters) {
  const Checker c{"advance", place()};
  c.typed("counters", counters, DType::kI32);
  meter_.add(Op::kAdvance, 2 * counters.bytes(), 0);
  do_advance(counters);
}

void Backend::finish_step(const Tensor& ids, const Tensor& fixed, const Tensor& notes,
                          const Tensor& step, const Tensor& position) {
  check_keep(place(), ids, fixed, step);
  check_note(place(), notes, ids, step);
  Checker{"advance", place()}.array("position", position, DType::kI32, 2 * step.count());
  if (do_finish_step(ids, fixed, notes, step, position)) {
    meter_.add(Op::kFinishStep,
               ids.bytes() + 2 * notes.rows() * size_of(DType::kI32) + 2 * step.bytes() +
                   2 * position.bytes(),
               0);
    return;
  }
  keep(ids, fixed, step);
  note(notes, ids, step);
  advance(position);
  advance(step);
}

}  // namespace bifrons
