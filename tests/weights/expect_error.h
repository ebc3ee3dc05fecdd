// Helpers for tests of error messages.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "kernels/error.h"

namespace bifrons::testing {

// Runs `body` and returns the message of the Error it throws. If it throws none, the test fails and
// the result is "". A ContractError passes through, because no file may cause one.
template <typename Body>
std::string refusal_of(Body&& body, ErrorKind kind = ErrorKind::kData) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), static_cast<int>(kind)) << error.what();
    const std::string sentence = error.what();
    EXPECT_EQ(sentence.find_first_of("\n\r\t\x1b"), std::string::npos) << sentence;
    EXPECT_LT(sentence.size(), 1500u);
    return sentence;
  }
  ADD_FAILURE() << "nothing was refused";
  return "";
}

inline void expect_contains(const std::string& text, std::string_view part) {
  EXPECT_NE(text.find(part), std::string::npos) << "\"" << part << "\" is not in: " << text;
}

// Whether `body` returns normally. Error is the only exception it may throw.
template <typename Body>
bool accepts(Body&& body) {
  try {
    body();
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace bifrons::testing
