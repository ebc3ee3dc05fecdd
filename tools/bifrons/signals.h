// Stop signals: the first asks the program to stop soon, a second Ctrl-C stops it at once.
#pragma once

namespace bifrons {

// SIGINT, SIGTERM, SIGHUP and SIGUSR1 from now on only set the flag that stop_requested() reads.
void install_stop_signals();

bool stop_requested();

}  // namespace bifrons
