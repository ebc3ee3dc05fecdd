// The library reads no environment, so all of it is here.
#include "tools/bifrons/hub_environment.h"

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

// HF_HOME and what stands for it; empty if there is no place for it.
fs::path hub_home() {
  if (const std::string home = environment("HF_HOME"); !home.empty()) return home;
  if (const std::string cache = environment("XDG_CACHE_HOME"); !cache.empty()) {
    return fs::path(cache) / "huggingface";
  }
  const std::string home = environment("HOME");
  return home.empty() ? fs::path() : fs::path(home) / ".cache" / "huggingface";
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
  if (const std::string path = environment("HF_TOKEN_PATH"); !path.empty()) return token_in(path);
  const fs::path home = hub_home();
  return home.empty() ? std::string() : token_in(home / "token");
}

double seconds_in(const char* name, double otherwise) {
  const std::string text = environment(name);
  return text.empty() ? otherwise : parse_real(name, text, 0, 86400, true);
}

}  // namespace

fs::path hub_cache_root() {
  const std::string cache = first_set({"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"});
  if (!cache.empty()) return cache;
  const fs::path home = hub_home();
  if (!home.empty()) return home / "hub";
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
