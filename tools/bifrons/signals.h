// Stop signals: the first one asks the program to stop soon, a second Ctrl-C stops it at once.
#pragma once

namespace bifrons::cli {

// From now on SIGINT, SIGTERM, SIGHUP and SIGUSR1 set the flag that stop_requested() reads. A
// command that has not ended after 0.7 seconds is ended with the exit code of an interruption, even
// while it waits or computes.
void install_stop_signals();

bool stop_requested();

// Throws Error (interrupted) after a stop was requested.
void heed_stop();

}  // namespace bifrons::cli
