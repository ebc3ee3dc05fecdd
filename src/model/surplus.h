// Parts of the network that files hold and the config denies.
#pragma once

#include <string>

#include "src/model/bind.h"
#include "src/model/config.h"

namespace bifrons {

// Throws Error (data), naming a tensor and the key of config.json, when the files hold more of a
// part of the network than the config describes: another layer, level, block or bias. Without them
// the model would draw, but something else. What published files and derivatives carry beside the
// network stays unread: the tower's pooling head, rotary frequencies, position ids, statistics of
// training, and whatever begins like no part of ours. Call check_tensors first.
void check_surplus(const Config& config, const PublishedTensors& published,
                   const std::string& directory);

}  // namespace bifrons
