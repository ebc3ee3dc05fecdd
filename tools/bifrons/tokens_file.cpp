// Schema 1 of the tokens file.
#include "tools/bifrons/tokens_file.h"

#include <fmt/format.h>

#include <limits>

#include "tools/bifrons/settings.h"
#include "tools/bifrons/untrusted_json.h"

namespace bifrons::cli {
namespace {

using nlohmann::json;

constexpr int kTokensSchema = 1;

int64_t side_of(int64_t cells) {
  int64_t side = 0;
  while (side * side < cells) ++side;
  return side;
}

json record_json(const TokenRecord& record, const ModelInfo& model) {
  const int64_t side = side_of(model.image_tokens);
  json object = {{"schema", kTokensSchema},
                 {"model", model_record(model)},
                 {"grid", {side, side}},
                 {"tokens", record.tokens}};
  if (record.drawn) object.update({{"seed", record.seed}, {"prompt", record.prompt}});
  return object;
}

std::vector<int32_t> codes_of(const json& array, const std::string& name) {
  std::vector<int32_t> codes;
  codes.reserve(array.size());
  for (const json& value : array) {
    if (!value.is_number_unsigned() ||
        value.get<uint64_t>() > uint64_t{std::numeric_limits<int32_t>::max()}) {
      throw Error(ErrorKind::kData,
                  fmt::format("{}: token {} is not an image code", name, codes.size()));
    }
    codes.push_back(value.get<int32_t>());
  }
  return codes;
}

TokenRecord record_of(const json& object, const std::string& name) {
  if (whole_member(object, "schema", 1u << 30, name) != kTokensSchema) {
    throw Error(ErrorKind::kData, name + ": a tokens file of a schema this bifrons does not know");
  }
  const auto tokens = object.find("tokens");
  if (tokens == object.end() || !tokens->is_array()) {
    throw Error(ErrorKind::kData, name + ": tokens must be an array");
  }
  TokenRecord record;
  record.tokens = codes_of(*tokens, name);
  if (object.contains("seed")) {
    record.seed = whole_member(object, "seed", std::numeric_limits<uint64_t>::max(), name);
  }
  if (const auto prompt = object.find("prompt"); prompt != object.end() && prompt->is_string()) {
    record.prompt = prompt->get<std::string>();
  }
  if (const auto model = object.find("model"); model != object.end() && model->is_object()) {
    record.model_name = model->value("name", json()).is_string() ? model->value("name", "") : "";
    record.model_hash = model->value("hash", json()).is_string() ? model->value("hash", "") : "";
  }
  if (const auto grid = object.find("grid"); grid != object.end()) {
    const bool pair = grid->is_array() && grid->size() == 2 && (*grid)[0].is_number_unsigned() &&
                      (*grid)[1].is_number_unsigned();
    if (!pair)
      throw Error(ErrorKind::kData, name + ": grid must be the numbers of rows and columns");
    record.grid = {(*grid)[0].get<int64_t>(), (*grid)[1].get<int64_t>()};
  }
  return record;
}

}  // namespace

std::string write_tokens(std::span<const TokenRecord> records, const ModelInfo& model) {
  json document = json::array();
  for (const TokenRecord& record : records) document.push_back(record_json(record, model));
  if (records.size() == 1) document = json(document.front());
  return document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::vector<TokenRecord> read_tokens(std::string_view text, const std::string& name) {
  const json document = parse_untrusted_json(text, name);
  std::vector<TokenRecord> records;
  if (document.is_object()) {
    records.push_back(record_of(document, name));
  } else if (document.is_array() && !document.empty() && document.front().is_object()) {
    for (const json& each : document) {
      if (!each.is_object()) {
        throw Error(ErrorKind::kData, name + ": records and codes are mixed");
      }
      records.push_back(record_of(each, name));
    }
  } else if (document.is_array()) {
    records.push_back({{}, 0, codes_of(document, name)});
  } else {
    throw Error(ErrorKind::kData, name + ": neither an array of codes nor a tokens file");
  }
  return records;
}

}  // namespace bifrons::cli
