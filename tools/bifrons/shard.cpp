// Launchers by priority: the one that started this process directly has priority, and a job array
// multiplies its number of parts.
#include "tools/bifrons/shard.h"

#include <fmt/format.h>

#include <optional>

#include "kernels/error.h"
#include "src/io/quote.h"
#include "src/io/text.h"

namespace bifrons::cli {
namespace {

constexpr uint64_t kMostShards = 99'999;

struct Part {
  int64_t index = 0, count = 1;
  std::string name;
};

int64_t number(const Variables& variables, const char* name) {
  return static_cast<int64_t>(parse_whole(name, variables(name), 0, 1'000'000'000));
}

std::optional<Part> ranks(const Variables& variables, const char* index, const char* count,
                          const char* launcher) {
  if (variables(index).empty() || variables(count).empty()) return std::nullopt;
  return Part{number(variables, index), number(variables, count), launcher};
}

// The rank of this process among the processes that were started together.
std::optional<Part> rank_of(const Variables& variables, std::vector<std::string>& warnings) {
  if (auto part = ranks(variables, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "Open MPI")) {
    return part;
  }
  if (!variables("TORCHELASTIC_RUN_ID").empty()) {
    if (auto part = ranks(variables, "RANK", "WORLD_SIZE", "torchrun")) return part;
  }
  if (auto part = ranks(variables, "PMI_RANK", "PMI_SIZE", "PMI")) return part;
  // Without srun, SLURM_PROCID is 0 and SLURM_NTASKS is the size of the whole allocation.
  if (!variables("SLURM_STEP_ID").empty()) {
    const char* count =
        variables("SLURM_STEP_NUM_TASKS").empty() ? "SLURM_NTASKS" : "SLURM_STEP_NUM_TASKS";
    return ranks(variables, "SLURM_PROCID", count, "a Slurm step");
  }
  const std::string tasks = variables("SLURM_NTASKS");
  if (!tasks.empty() && tasks != "1") {
    warnings.push_back("SLURM_NTASKS is " + quote(tasks, 20) +
                       ", but srun did not start this process: the tasks are not counted");
  }
  return std::nullopt;
}

// `whole`: the number of parts, if it was given. An array with fewer tasks then repeats some of the
// parts, and its task numbers are those of the parts.
std::optional<Part> array_of(const Variables& variables, std::optional<int64_t> whole,
                             std::vector<std::string>& warnings) {
  if (variables("SLURM_ARRAY_TASK_ID").empty()) return std::nullopt;
  const int64_t id = number(variables, "SLURM_ARRAY_TASK_ID");
  if (whole && number(variables, "SLURM_ARRAY_TASK_COUNT") < *whole) {
    return Part{id, *whole, "part of a Slurm array"};
  }
  const int64_t least = number(variables, "SLURM_ARRAY_TASK_MIN");
  const int64_t most = number(variables, "SLURM_ARRAY_TASK_MAX");
  const int64_t count = number(variables, "SLURM_ARRAY_TASK_COUNT");
  const bool has_step = !variables("SLURM_ARRAY_TASK_STEP").empty();
  const int64_t step = has_step ? number(variables, "SLURM_ARRAY_TASK_STEP") : 1;
  if (step < 1 || id < least || (id - least) % step != 0 || (most - least) / step + 1 != count) {
    throw Error(ErrorKind::kUsage,
                "the Slurm array is a list with gaps; number its tasks from 0 without any, or give "
                "--shard I/N");
  }
  if (count == 1 && id > 0) {
    warnings.push_back(
        fmt::format("the Slurm array has one task, number {}, which does the whole; to "
                    "send a part of {} or more again, say --shard auto/N",
                    id, id + 1));
  }
  return Part{(id - least) / step, count, "a Slurm array"};
}

Shard checked(int64_t index, int64_t count, const std::string& said) {
  if (count >= 1 && count <= static_cast<int64_t>(kMostShards) && index >= 0 && index < count) {
    return {index, count};
  }
  throw Error(ErrorKind::kUsage,
              fmt::format("shard {} of {} ({}) is none; they run from 0/N to N-1/N, N at most {}",
                          index, count, said, kMostShards));
}

ShardChoice automatic(const Variables& variables, std::optional<int64_t> given_count) {
  ShardChoice choice;
  const auto rank = rank_of(variables, choice.warnings);
  const auto array = array_of(variables, rank ? std::nullopt : given_count, choice.warnings);
  if (rank || array) {
    const Part outer = array.value_or(Part{}), inner = rank.value_or(Part{});
    choice.shard = checked(outer.index * inner.count + inner.index, outer.count * inner.count,
                           "from the environment");
    choice.reason =
        rank && array ? inner.name + " within " + outer.name : (rank ? inner.name : outer.name);
  } else if (const auto part = ranks(variables, "RANK", "WORLD_SIZE", "RANK and WORLD_SIZE")) {
    choice.shard = checked(part->index, part->count, "from the environment");
    choice.reason = part->name;
  } else if (!variables("JOB_COMPLETION_INDEX").empty()) {
    if (!given_count) {
      throw Error(ErrorKind::kUsage,
                  "a Kubernetes Indexed Job does not say how many it has; give --shard auto/N, N "
                  "being its completions");
    }
    choice.shard = checked(number(variables, "JOB_COMPLETION_INDEX"), *given_count, "auto/N");
    choice.reason = "a Kubernetes Indexed Job";
  } else {
    choice.reason = "no launcher found";
  }
  if (given_count && *given_count != choice.shard.count) {
    throw Error(ErrorKind::kUsage, fmt::format("--shard auto/{}, but {} says {} in all",
                                               *given_count, choice.reason, choice.shard.count));
  }
  return choice;
}

}  // namespace

ShardChoice choose_shard(const std::string& wanted, const Variables& variables) {
  const bool flag = !wanted.empty();
  const std::string text = flag ? wanted : variables("BIFRONS_SHARD");
  const std::string name = flag ? "--shard" : "BIFRONS_SHARD";
  if (text.empty()) return {};
  const size_t slash = text.find('/');
  const auto count_of = [&] {
    return static_cast<int64_t>(parse_whole(name, text.substr(slash + 1), 1, kMostShards));
  };
  if (text.substr(0, slash) == "auto") {
    return automatic(variables,
                     slash == std::string::npos ? std::nullopt : std::optional(count_of()));
  }
  if (slash == std::string::npos) {
    throw Error(ErrorKind::kUsage,
                name + " takes I/N, such as 0/4, or auto, not " + quote(text, 60));
  }
  const auto index = static_cast<int64_t>(parse_whole(name, text.substr(0, slash), 0, kMostShards));
  return {checked(index, count_of(), name), name, {}};
}

}  // namespace bifrons::cli
