// Stop signals: the first asks the program to stop soon, a second Ctrl-C stops it at once.
#pragma once

namespace bifrons::cli {

// SIGINT, SIGTERM, SIGHUP and SIGUSR1 from now on set the flag that stop_requested() reads. A
// command that has not ended by itself 0.7 seconds later, whatever it waits for or computes, is
// ended with the exit code of an interruption.
void install_stop_signals();

bool stop_requested();

// Throws Error (interrupted) once a stop was requested.
void heed_stop();

}  // namespace bifrons::cli
