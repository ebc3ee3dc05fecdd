// Runs one command. Converts every failure to one line on stderr and an exit code.
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <new>
#include <string>
#include <system_error>

#include "kernels/error.h"
#include "src/io/quote.h"
#include "tools/bifrons/command_line.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

// Memory may run out inside a function that must not throw: the destructor of a JSON document
// allocates. Every file is complete or does not exist at any moment, so the process may end
// anywhere.
[[noreturn]] void on_terminate() {
  try {
    if (const std::exception_ptr cause = std::current_exception()) std::rethrow_exception(cause);
  } catch (const std::bad_alloc&) {
    print_stderr("bifrons: not enough memory\n");
    _exit(static_cast<int>(ErrorKind::kUnavailable));
  } catch (...) {
    __gnu_cxx::__verbose_terminate_handler();
  }
  std::abort();
}

int run_program(int argc, char** argv) {
  try {
    return run_command_line(argc, argv);
  } catch (const Error& error) {
    print_stderr("bifrons: " + std::string(error.what()) + "\n");
    return error.exit_code();
  } catch (const std::bad_alloc&) {
    print_stderr("bifrons: not enough memory\n");
    return static_cast<int>(ErrorKind::kUnavailable);
  } catch (const std::filesystem::filesystem_error& error) {
    print_stderr("bifrons: " + quote(error.path1().string()) + ": " + error.code().message() +
                 "\n");
    return static_cast<int>(ErrorKind::kMissing);
  } catch (const std::system_error& error) {
    print_stderr("bifrons: the system does not give what is needed: " + error.code().message() +
                 "\n");
    return static_cast<int>(ErrorKind::kUnavailable);
  } catch (const ContractError& error) {
    print_stderr("bifrons: a mistake in this program, please report it: " +
                 std::string(error.what()) + "\n");
    return static_cast<int>(ErrorKind::kFailed);
  } catch (const std::exception& error) {
    print_stderr("bifrons: unexpected failure: " + std::string(error.what()) + "\n");
    return static_cast<int>(ErrorKind::kFailed);
  }
}

}  // namespace
}  // namespace bifrons::cli

int main(int argc, char** argv) {
  // OpenBLAS comes with OpenCV and is not used. Where the system refuses it a thread it raises
  // SIGINT, and where it has no memory for one it never ends; so it gets none.
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  std::set_terminate(bifrons::cli::on_terminate);
  bifrons::cli::prepare_standard_streams();
  bifrons::cli::install_stop_signals();
  return bifrons::cli::run_program(argc, argv);
}
