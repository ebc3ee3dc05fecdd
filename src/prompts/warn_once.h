// Things worth saying once about a file, however often they occur in it.
#pragma once

#include <functional>
#include <set>
#include <string>

namespace bifrons {

class WarnOnce {
 public:
  explicit WarnOnce(std::function<void(const std::string&)> say) : say_(std::move(say)) {}

  // Silent after twenty: the file is of another kind than we think, and memory stays bounded.
  void once(const std::string& sentence) { about(sentence, sentence); }
  // Only the first sentence about a thing, be it said in other words the next time.
  void about(const std::string& thing, const std::string& sentence) {
    if (said_.size() < 20 && said_.insert(thing).second && say_) say_(sentence);
  }

 private:
  std::function<void(const std::string&)> say_;
  std::set<std::string> said_;
};

}  // namespace bifrons
