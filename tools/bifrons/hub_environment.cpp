// The library reads no environment, so all of it is here.
#include "tools/bifrons/hub_environment.h"

#include <cctype>

#include "src/io/directory.h"
#include "src/io/text.h"
#include "tools/bifrons/options.h"
#include "tools/bifrons/signals.h"

namespace bifrons::cli {
namespace {

namespace fs = std::filesystem;

// The first of these variables that is set; empty if none is.
std::string first_set(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (std::string value = environment(name); !value.empty()) return value;
  }
  return {};
}

bool is_on(const char* name) {
  const std::string value = lower_case(environment(name));
  return value == "1" || value == "on" || value == "yes" || value == "true";
}

// A path with $NAME and ${NAME} replaced. A variable that is not set stays as it is written.
std::string with_variables(const std::string& path) {
  std::string out;
  for (size_t at = 0; at < path.size();) {
    const bool braces = path.compare(at, 2, "${") == 0;
    const size_t from = at + (braces ? 2 : 1);
    size_t to = from;
    while (to < path.size() &&
           (std::isalnum(static_cast<unsigned char>(path[to])) != 0 || path[to] == '_')) {
      ++to;
    }
    const bool closed = !braces || (to < path.size() && path[to] == '}');
    const std::string value = path[at] == '$' && to > from && closed
                                  ? environment(path.substr(from, to - from).c_str())
                                  : std::string();
    const size_t end = value.empty() ? at + 1 : to + (braces ? 1 : 0);
    out += value.empty() ? path.substr(at, 1) : value;
    at = end;
  }
  return out;
}

// A path in a variable, with ~ and variables replaced as in Hugging Face's own tools, because a
// shell replaces neither in HF_HOME='~/hf', in a file of settings or in a container. Empty if the
// variable is not set.
fs::path path_in(const char* name) {
  std::string path = environment(name);
  if (const std::string home = environment("HOME");
      !home.empty() && (path == "~" || path.starts_with("~/"))) {
    path.replace(0, 1, home);
  }
  return with_variables(path);
}

// What HF_HOME and its substitutes name, the first one first.
std::vector<fs::path> hub_homes() {
  std::vector<fs::path> homes;
  if (const fs::path home = path_in("HF_HOME"); !home.empty()) homes.push_back(home);
  if (const fs::path cache = path_in("XDG_CACHE_HOME"); !cache.empty()) {
    homes.push_back(cache / "huggingface");
  }
  if (const std::string home = environment("HOME"); !home.empty()) {
    homes.push_back(fs::path(home) / ".cache" / "huggingface");
  }
  return homes;
}

// A token in a file; empty if there is none.
std::string token_in(const fs::path& path) {
  try {
    const std::string parent = path.has_parent_path() ? path.parent_path().string() : ".";
    const std::string text = Directory::open(parent).read_file(path.filename().string(), 4000);
    return std::string(trimmed(text));
  } catch (const Error&) {
    return {};
  }
}

std::string hub_token() {
  if (is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return {};
  const std::string token = first_set({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"});
  if (!token.empty()) return std::string(trimmed(token));
  if (const fs::path path = path_in("HF_TOKEN_PATH"); !path.empty()) return token_in(path);
  const std::vector<fs::path> homes = hub_homes();
  return homes.empty() ? std::string() : token_in(homes.front() / "token");
}

double seconds_in(const char* name, double otherwise) {
  const std::string text = environment(name);
  return text.empty() ? otherwise : parse_real(name, text, 0, 86400, true);
}

}  // namespace

std::vector<fs::path> hub_cache_roots() {
  std::vector<fs::path> roots;
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const fs::path root = path_in(name); !root.empty()) roots.push_back(root);
  }
  for (const fs::path& home : hub_homes()) roots.push_back(home / "hub");
  return roots;
}

fs::path hub_cache_root() {
  const std::vector<fs::path> roots = hub_cache_roots();
  if (!roots.empty()) return roots.front();
  throw Error(ErrorKind::kUsage,
              "there is no place for downloads, as HOME is not set; name one with HF_HOME or "
              "--local-dir");
}

bool hub_is_offline() { return is_on("HF_HUB_OFFLINE") || is_on("TRANSFORMERS_OFFLINE"); }

bool hub_has_links() { return !is_on("HF_HUB_DISABLE_SYMLINKS"); }

hub::HubSettings hub_settings(hub::HubKind kind) {
  hub::HubSettings settings;
  if (kind == hub::HubKind::kModelScope) {
    std::string domain = environment("MODELSCOPE_DOMAIN");
    if (domain.empty()) domain = "www.modelscope.cn";
    settings.endpoint = domain.find("://") == std::string::npos ? "https://" + domain : domain;
  } else {
    settings.endpoint = environment("HF_ENDPOINT");
    if (settings.endpoint.empty()) settings.endpoint = "https://huggingface.co";
    settings.token = hub_token();
  }
  while (settings.endpoint.ends_with('/')) settings.endpoint.pop_back();
  settings.http.user_agent = "bifrons/" + build_info().version;
  settings.http.ca_file = first_set({"CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"});
  settings.http.connect_seconds = seconds_in("HF_HUB_ETAG_TIMEOUT", 10);
  settings.http.stall_seconds = seconds_in("HF_HUB_DOWNLOAD_TIMEOUT", 30);
  settings.http.heed = heed_stop;
  return settings;
}

}  // namespace bifrons::cli
