// ModelScope: another hub, with other addresses. Its files go to the same cache.
#pragma once

#include "src/hub/hub_client.h"

namespace bifrons::hub {

// As list_files(). ModelScope names no commit of a branch, so `commit` is a SHA-1 of the list: the
// same files have the same one.
Listing list_model_scope_files(HubRequests& requests, const ModelReference& model);

}  // namespace bifrons::hub
