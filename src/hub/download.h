// One file from the hub to its part, whole and right.
#pragma once

#include <functional>

#include "src/hub/hub_requests.h"
#include "src/hub/part_file.h"

namespace bifrons::hub {

// Loads what `part` lacks of `file` and checks it: size, then checksum. Connections that break are
// taken up where they broke; an address that has expired is asked for again. `progress` gets the
// bytes of the file that are there. Throws Error: data if the hub's bytes are not the ones that it
// lists, after a second try; cannot write; interrupted or unavailable with the part kept.
void download(HubRequests& requests, const ModelReference& model, const RemoteFile& file,
              PartFile& part, const std::function<void(int64_t)>& progress);

}  // namespace bifrons::hub
