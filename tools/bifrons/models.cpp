// `bifrons models`: the models on this machine, and removal from the hub's cache.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <system_error>

#include "src/engine/model_files.h"
#include "src/io/descriptor.h"
#include "src/io/paths.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "tools/bifrons/hub_cache.h"
#include "tools/bifrons/model_place.h"
#include "tools/bifrons/options.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/size_text.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

namespace fs = std::filesystem;

struct Row {
  std::string name;   // for -m
  std::string place;  // "built in", "cache", "BIFRONS_MODEL"
  std::string directory;
  int64_t bytes = 0;  // of its files, each counted once
  std::optional<ModelSummary> model;
  std::string problem;  // empty if `model` is set
};

// Bytes of the files at `path` and below, links followed in the folder itself. Files with several
// names count once.
int64_t bytes_below(const fs::path& path) {
  std::set<std::pair<dev_t, ino_t>> seen;
  int64_t sum = 0;
  std::error_code error;
  fs::recursive_directory_iterator at(path, fs::directory_options::skip_permission_denied, error);
  for (const fs::recursive_directory_iterator end; !error && at != end; at.increment(error)) {
    struct stat status {};
    if (stat(at->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (seen.insert({status.st_dev, status.st_ino}).second) sum += status.st_size;
  }
  return sum;
}

Row row_of(std::string name, std::string place, const std::string& directory) {
  Row row{std::move(name), std::move(place), directory, bytes_below(directory), {}, {}};
  try {
    row.model = summarize_model(directory);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kUnavailable) throw;  // too little memory
    row.problem = error.what();
  }
  return row;
}

std::string shown_name(const HubName& name) {
  return name.id + (name.revision.empty() ? "" : "@" + name.revision.substr(0, 12));
}

// Whether the cached files are of a Janus model, or were meant to be.
bool concerns_us(const CachedModel& cached) {
  if (lower_case(cached.name.id).find("janus") != std::string::npos) return true;
  return !cached.directory.empty() && is_janus(cached.directory.string());
}

Row row_of_cached(const CachedModel& cached) {
  if (!cached.directory.empty()) {
    return row_of(shown_name(cached.name), "cache", cached.directory.string());
  }
  return {shown_name(cached.name),
          "cache",
          cached.folder.string(),
          bytes_below(cached.folder),
          {},
          "its download is not finished; go on with: " + pull_command(cached.name)};
}

std::vector<Row> all_rows() {
  std::vector<Row> rows;
  try {
    const ModelPlace place = find_model("");
    rows.push_back(row_of("storybook", "built in", place.directory));
  } catch (const Error&) {  // installed without it
  }
  for (const CachedModel& cached : cached_models()) {
    heed_stop();
    if (concerns_us(cached)) rows.push_back(row_of_cached(cached));
  }
  const std::string named = environment("BIFRONS_MODEL");
  if (named.empty()) return rows;
  try {
    rows.push_back(row_of(named, "BIFRONS_MODEL", find_model(named).directory));
  } catch (const Error& error) {
    const std::string what = error.what();
    rows.push_back({named, "BIFRONS_MODEL", "", 0, {}, what.substr(0, what.find('\n'))});
  }
  return rows;
}

std::string text_of(const std::vector<Row>& rows) {
  size_t width = 4;
  for (const Row& row : rows) width = std::max(width, quote_if_needed(row.name).size());
  std::string text = fmt::format("{:{}}  {:>8}  {:12}  {:5}  {:4}  {}\n", "NAME", width, "SIZE",
                                 "FORM", "DTYPE", "SEES", "STATE");
  for (const Row& row : rows) {
    const std::string state =
        row.problem.empty() ? "ok, " + row.place : "damaged, " + row.place + ": " + row.problem;
    text +=
        fmt::format("{:{}}  {:>8}  {:12}  {:5}  {:4}  {}\n", quote_if_needed(row.name), width,
                    size_text(static_cast<double>(row.bytes)), row.model ? row.model->form : "-",
                    row.model ? row.model->weights_dtype : "-",
                    row.model ? (row.model->sees ? "yes" : "no") : "-", state);
  }
  return text;
}

std::string json_of(const std::vector<Row>& rows) {
  nlohmann::ordered_json out{{"schema", 1}};
  out["models"] = nlohmann::ordered_json::array();
  for (const Row& row : rows) {
    nlohmann::ordered_json model{{"name", row.name},
                                 {"place", row.place},
                                 {"directory", row.directory},
                                 {"bytes", row.bytes}};
    if (row.model) {
      model["form"] = row.model->form;
      model["dtype"] = row.model->weights_dtype;
      model["sees"] = row.model->sees;
      model["image_size"] = row.model->image_size;
    }
    model["problem"] = nullptr;
    if (!row.problem.empty()) model["problem"] = row.problem;
    out["models"].push_back(std::move(model));
  }
  return plain_json(out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) +
         "\n";
}

// Throws Error (unavailable) if a download holds one of the locks of this repository.
void refuse_while_locked(const fs::path& folder) {
  const fs::path locks = folder.parent_path() / ".locks" / folder.filename();
  std::error_code error;
  for (fs::directory_iterator at(locks, error), end; !error && at != end; at.increment(error)) {
    const RegularFile lock = open_regular(at->path().string(), O_RDONLY);
    if (lock.problem.empty() && flock(lock.file.get(), LOCK_EX | LOCK_NB) != 0) {
      throw Error(ErrorKind::kUnavailable,
                  fmt::format("{}: is being downloaded; stop that first", quote(folder.string())));
    }
  }
}

// The folder of a model in the cache. Throws Error: usage (not a model of the hub), missing (not in
// the cache), cannot write (a link to another place).
fs::path folder_to_remove(const std::string& text) {
  const auto name = parse_hub_name(text);
  if (!name) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--remove takes a model of the cache, such as "
                            "deepseek-ai/Janus-Pro-1B, not {}; nothing else is removed",
                            quote(text)));
  }
  if (!name->revision.empty()) {
    throw Error(ErrorKind::kUsage,
                "--remove removes all revisions of a model; leave out @" + name->revision);
  }
  std::string looked_in, link;
  for (const fs::path& folder : cached_folders(name->id)) {
    std::error_code error;
    const bool is_link = fs::is_symlink(folder, error);
    if (directory_exists(folder) && !is_link) return folder;
    if (is_link && link.empty()) link = folder.string();
    looked_in += (looked_in.empty() ? "" : ", ") + quote(folder.string());
  }
  if (!link.empty()) {
    throw Error(ErrorKind::kCannotWrite,
                fmt::format("{} is a link, and neither it nor what it leads to is removed; remove "
                            "the link with rm",
                            quote(link)));
  }
  throw Error(ErrorKind::kMissing,
              fmt::format("{} is not in the cache{}", name->id,
                          looked_in.empty() ? ": HOME, HF_HOME and HF_HUB_CACHE are not set"
                                            : "; looked for " + looked_in));
}

struct Models {
  std::optional<std::string> remove;  // name of a model
  bool json = false;

  int run() const {
    if (remove) return run_remove();
    const std::vector<Row> rows = all_rows();
    write_stdout(json ? json_of(rows) : text_of(rows));
    return 0;
  }

  int run_remove() const {
    const fs::path folder = folder_to_remove(*remove);
    refuse_while_locked(folder);
    const int64_t bytes = bytes_below(folder);
    std::error_code error, ignored;
    fs::remove_all(folder, error);  // links are removed, never followed
    if (error) {
      throw Error(ErrorKind::kCannotWrite, fmt::format("{}: cannot be removed: {}",
                                                       quote(folder.string()), error.message()));
    }
    fs::remove_all(folder.parent_path() / ".locks" / folder.filename(), ignored);
    if (json) {
      const nlohmann::ordered_json out{
          {"schema", 1}, {"removed", folder.string()}, {"bytes", bytes}};
      write_stdout(
          plain_json(out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) +
          "\n");
    } else {
      write_stdout(fmt::format("removed {}, {}\n", quote(folder.string()),
                               size_text(static_cast<double>(bytes))));
    }
    return 0;
  }
};

}  // namespace

void add_models(CLI::App& app, Chosen& chosen) {
  const auto models = std::make_shared<Models>();
  CLI::App& command = add_command(app, "models", "List the models on this machine", chosen,
                                  [models] { return models->run(); });
  add_value(command, "--remove", "NAME",
            [models](const std::string& name) { models->remove = name; },
            "Remove this model from the cache of Hugging Face, without asking", {.once = true});
  add_flag(command, "--json", models->json, "Print one JSON object");
}

}  // namespace bifrons::cli
