// Warnings about a file, each given once however often its reason occurs.
#pragma once

#include <functional>
#include <set>
#include <string>

namespace bifrons {

class WarnOnce {
 public:
  explicit WarnOnce(std::function<void(const std::string&)> warn) : warn_(std::move(warn)) {}

  // Silent after twenty warnings: then the file is of another kind, and memory stays bounded.
  void once(const std::string& sentence) { about(sentence, sentence); }
  // Only the first sentence about a `thing` is given, even if the next one has other words.
  void about(const std::string& thing, const std::string& sentence) {
    if (said_.size() < 20 && said_.insert(thing).second && warn_) warn_(sentence);
  }

 private:
  std::function<void(const std::string&)> warn_;
  std::set<std::string> said_;
};

}  // namespace bifrons
