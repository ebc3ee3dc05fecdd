// Shows thoughts while they are written.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "src/bifrons.h"
#include "tools/bifrons/options.h"

namespace bifrons::cli {

// Several thoughts are written at once but shown one after the other: the first that is not done
// comes live on a terminal, the others when it is done. Elsewhere each is one line when it is done.
class ThoughtPrinter {
 public:
  // Called with the title of a thought, such as "seed 7", before its first words.
  using Title = std::function<std::string(uint64_t id)>;
  // `before`: called before anything is written; it may remove a progress bar. Ids count up from
  // `first`.
  ThoughtPrinter(const Verbosity& verbosity, Title title, std::function<void()> before,
                 uint64_t first = 0);

  // To stdout, without titles; a blank line stands between two thoughts. `silent`: shows nothing.
  explicit ThoughtPrinter(bool silent);

  void take(const ThoughtPiece& piece);
  // Ends the line of a thought that was stopped.
  void finish();

 private:
  struct Waiting {
    std::string text;
    bool last = false;
  };
  void show(const std::string& text, bool last);

  bool shown_, live_, to_stdout_ = false;
  Title title_;
  std::function<void()> before_;
  uint64_t current_ = 0;
  bool begun_ = false;                   // the current thought has its title on the screen
  std::map<uint64_t, Waiting> waiting_;  // by id: what was not shown yet
};

}  // namespace bifrons::cli
