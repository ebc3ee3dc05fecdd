// `bifrons pull`: downloads a model into the cache that Python's tools use as well.
#include "src/hub/pull.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "src/hub/cache_layout.h"
#include "src/hub/known_models.h"
#include "src/io/quote.h"
#include "tools/bifrons/hub_environment.h"
#include "tools/bifrons/pull_watch.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

struct Pull {
  std::string name;
  std::string revision;
  std::string directory;
  hub::FileChoice choice;
  bool overwrite = false;
  bool dry_run = false;
  bool json = false;
  Verbosity verbosity;

  int run() const {
    hub::PullOptions options{.model = reference(), .choice = choice};
    options.directory = directory;
    options.overwrite = overwrite;
    options.links = hub_has_links();
    if (directory.empty()) options.cache = hub_cache_root();
    if (hub_is_offline()) return show_cached(options);

    hub::PullWatch* watch = nullptr;
    hub::HubSettings settings = hub_settings(options.model.kind);
    settings.tell = [&](const std::string& line) {
      if (watch != nullptr) return watch->note(line);
      log(verbosity, line);
    };
    hub::HubRequests requests(std::move(settings));
    const hub::PullPlan plan = hub::plan_pull(requests, options);
    if (dry_run) {
      show_plan(plan);
      return 0;
    }
    tell_plan(plan);
    hub::check_room(plan);
    PullBars bars(plan, verbosity.quiet);
    watch = &bars;
    const auto start = std::chrono::steady_clock::now();
    hub::run_pull(requests, options, plan, bars);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    tell_speed(plan, seconds.count());
    if (json) {
      print_json(report(plan, "downloaded"));
    } else {
      write_stdout(plan.place.string() + "\n");
    }
    return 0;
  }

 private:
  hub::ModelReference reference() const {
    if (name == "storybook") {
      throw Error(ErrorKind::kUsage, "storybook comes with the program; it needs no download");
    }
    hub::ModelReference model = hub::parse_reference(name);
    if (revision.empty()) return model;
    if (!model.revision.empty() && model.revision != revision) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("{} and --revision {} name two revisions; leave one out",
                              quote(name, 100), quote(revision, 60)));
    }
    if (!hub::is_revision(revision)) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("--revision: {} is no branch, tag, commit or refs/pr/N",
                              quote(revision, 60)));
    }
    model.revision = revision;
    return model;
  }

  // Without the network: what the cache holds of the revision.
  int show_cached(const hub::PullOptions& options) const {
    if (options.directory.empty()) {
      const std::string& wanted = options.model.revision;
      const hub::CacheLayout layout(options.cache, options.model.id);
      if (const auto found = layout.snapshot_of_revision(wanted.empty() ? "main" : wanted)) {
        log(verbosity,
            "HF_HUB_OFFLINE is set: this is what the cache holds; it was not compared "
            "with the hub");
        write_stdout(found->string() + "\n");
        return 0;
      }
    }
    throw Error(ErrorKind::kMissing,
                fmt::format("{} is not in the cache, and HF_HUB_OFFLINE forbids to download it; "
                            "unset that, or bring the files here in another way",
                            options.model.id));
  }

  void tell_plan(const hub::PullPlan& plan) const {
    log(verbosity,
        fmt::format("{} at {} ({}): {} files, {}", plan.model.id, plan.model.revision,
                    plan.commit.substr(0, 8), plan.files.size(), hub::bytes_text(plan.bytes)));
    if (const auto* known = hub::known_model_by_id(plan.model.id)) {
      log(verbosity, fmt::format("licence: {}", known->licence));
    }
    log(verbosity,
        fmt::format("{} to download to {}, {} free there", hub::bytes_text(plan.bytes_to_load),
                    quote(plan.place.string()), hub::bytes_text(plan.bytes_free)));
  }

  void tell_speed(const hub::PullPlan& plan, double seconds) const {
    if (plan.bytes_to_load == 0) return;
    const double rate = static_cast<double>(plan.bytes_to_load) / std::max(seconds, 1e-3);
    log(verbosity, fmt::format("{} in {:.1f} s, {}/s, checked and on the disk",
                               hub::bytes_text(plan.bytes_to_load), seconds,
                               hub::bytes_text(static_cast<int64_t>(rate))));
  }

  static const char* state_of(const hub::PlannedFile& file) {
    return file.there == file.file.bytes ? "there" : file.there > 0 ? "begun" : "missing";
  }

  void show_plan(const hub::PullPlan& plan) const {
    tell_plan(plan);
    if (json) {
      print_json(report(plan, nullptr));
      return;
    }
    for (const hub::PlannedFile& file : plan.files) {
      write_stdout(fmt::format("{:>9}  {:7}  {}\n", hub::bytes_text(file.file.bytes),
                               state_of(file), quote_if_needed(file.file.path)));
    }
  }

  // `done`: the state of the files that were not there; null before the download.
  static nlohmann::json report(const hub::PullPlan& plan, const char* done) {
    nlohmann::json files = nlohmann::json::array();
    for (const hub::PlannedFile& file : plan.files) {
      const bool sha256 = file.file.kind == hub::DigestKind::kSha256;
      files.push_back({{"path", file.file.path},
                       {"bytes", file.file.bytes},
                       {sha256 ? "sha256" : "git_sha1", file.file.digest},
                       {"state", done != nullptr && !file.present ? done : state_of(file)}});
    }
    return {{"schema", 1},
            {"model", plan.model.id},
            {"revision", plan.model.revision},
            {"commit", plan.commit},
            {"directory", plan.place.string()},
            {"bytes", plan.bytes},
            {"bytes_to_download", plan.bytes_to_load},
            {"bytes_free", plan.bytes_free},
            {"files", files}};
  }
};

}  // namespace

void add_pull(CLI::App& app, Chosen& chosen) {
  const auto pull = std::make_shared<Pull>();
  CLI::App& command = add_command(app, "pull", "Download a model from a hub", chosen,
                                  [pull] { return pull->run(); });
  const std::string names = "owner/name[@REVISION], ms://owner/name, or " + hub::known_names();
  add_operand(command, "NAME", pull->name, names.c_str());
  add_text(command, "--revision", "REVISION", pull->revision,
           "Branch, tag, commit or refs/pr/N (default main)");
  add_value(command, "--include", "PATTERN",
            [pull](const std::string& text) { pull->choice.include.push_back(text); },
            "Take the files that match, in place of what a model needs; may be repeated",
            {.each = true});
  add_value(command, "--exclude", "PATTERN",
            [pull](const std::string& text) { pull->choice.exclude.push_back(text); },
            "Leave out the files that match; may be repeated", {.each = true});
  add_text(command, "--local-dir", "DIR", pull->directory,
           "Put plain files there, not in the cache");
  add_flag(command, "-y,--overwrite", pull->overwrite,
           "Replace files in DIR that no earlier pull has written");
  add_flag(command, "--dry-run", pull->dry_run,
           "List files, sizes and free space; download nothing");
  add_flag(command, "--json", pull->json, "Print one JSON object in place of the directory");
  pull->verbosity.add_to(command);
}

}  // namespace bifrons::cli
