// The pictures and bad lines of a prompt file.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "src/batch/job_stream.h"
#include "tests/support/byte_streams.h"

namespace bifrons::testing {

struct Jobs {
  std::vector<PictureJob> jobs;  // including repeats
  std::vector<BadLine> bad;
  int64_t duplicates = 0;
};

inline Jobs jobs_of(const std::string& text, const JobOptions& options = {},
                    PromptFormat format = PromptFormat::kText) {
  JobStream stream(PromptReader(stream_of(text), format, {}), options);
  Jobs all;
  while (auto item = stream.next()) {
    if (auto* bad = std::get_if<BadLine>(&*item)) {
      all.bad.push_back(std::move(*bad));
    } else {
      all.jobs.push_back(std::move(std::get<PictureJob>(*item)));
    }
  }
  all.duplicates = stream.duplicates();
  return all;
}

}  // namespace bifrons::testing
