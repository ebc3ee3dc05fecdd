// What the replies of a hub mean, in one sentence each that says what to do.
#pragma once

#include <string>

#include "kernels/error.h"
#include "src/hub/hub_requests.h"
#include "src/hub/names.h"

namespace bifrons::hub {

// The exit code of a model that this account may not read (EX_NOPERM).
inline constexpr ErrorKind kNotPermitted{77};

// A transfer that did not end well.
Error broken(const HubReply& reply);

// A reply that is not what was asked for. `file`: a path in the repository, or empty.
Error refused(const HubReply& reply, const ModelReference& model, const HubRequests& requests,
              const std::string& file = {});

}  // namespace bifrons::hub
