// What the environment says about hubs, read as Hugging Face's own tools read it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "src/hub/hub_requests.h"
#include "src/hub/names.h"

namespace bifrons::cli {

// The roots of the caches, in the search order of the hub's own library: HF_HUB_CACHE,
// HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub and ~/.cache/huggingface/hub,
// where these are set. A ~ at the start and $NAME are replaced.
std::vector<std::filesystem::path> hub_cache_roots();

// The root of the cache that is written to: the first of hub_cache_roots(). Throws Error (usage) if
// there is none.
std::filesystem::path hub_cache_root();

// Whether the network must not be used: HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE.
bool hub_is_offline();

// Whether the cache may hold links: not with HF_HUB_DISABLE_SYMLINKS.
bool hub_has_links();

// Endpoint (HF_ENDPOINT; MODELSCOPE_DOMAIN), token (HF_TOKEN, HF_TOKEN_PATH, HF_HOME/token, unless
// HF_HUB_DISABLE_IMPLICIT_TOKEN), timeouts (HF_HUB_ETAG_TIMEOUT, HF_HUB_DOWNLOAD_TIMEOUT) and
// certificates (CURL_CA_BUNDLE, SSL_CERT_FILE, REQUESTS_CA_BUNDLE). Proxies are read by libcurl.
// ModelScope gets no token. Throws Error (usage).
hub::HubSettings hub_settings(hub::HubKind kind);

}  // namespace bifrons::cli
