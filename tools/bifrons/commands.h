// What each command does. Every one returns an exit code or throws Error.
#pragma once

#include "tools/bifrons/arguments.h"

namespace bifrons::cli {

int run(GenerateArguments arguments);
int run(const DecodeArguments& arguments);
int run(VaryArguments arguments);
int run(const EncodeArguments& arguments);
int run(const ReconstructArguments& arguments);
int run(const InfoArguments& arguments);
int run(const InspectArguments& arguments);
int run(const TokenizeArguments& arguments);
int run(const DoctorArguments& arguments);
int run(const DevicesArguments& arguments);
int run(const VersionArguments& arguments);
int run(const ShowArguments& arguments);
int run(const SightArguments& arguments);

}  // namespace bifrons::cli
