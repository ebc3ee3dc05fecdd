// Names that come from a person or from a hub: models, revisions, files, digests.
#pragma once

#include <string>
#include <string_view>

namespace bifrons::hub {

enum class HubKind { kHuggingFace, kModelScope };

// A model and a revision of it: a branch, a tag, a commit or refs/pr/N; empty for the hub's
// default.
struct ModelReference {
  HubKind kind = HubKind::kHuggingFace;
  std::string id;  // "owner/name"
  std::string revision;
};

// Whether the text is "owner/name" as hubs accept it: letters, digits, dots, dashes, underscores;
// no ".." and no "--"; no dot or dash at an end of a part; at most 96 bytes a part.
bool is_model_id(std::string_view text);

// Whether the text is a commit of git: 40 lower-case hex digits.
bool is_commit(std::string_view text);

// Whether the text has exactly `digits` lower-case hex digits.
bool is_hex(std::string_view text, size_t digits);

// Whether the text can be a name of a revision: parts of plain characters with slashes between
// them, none of them "." or "..", at most 200 bytes.
bool is_revision(std::string_view text);

// "NAME[@REVISION]", where NAME is owner/name, a short name of the table of known models, and
// hf://owner/name or ms://owner/name. Throws Error (usage).
ModelReference parse_reference(const std::string& text);

// Throws Error (data) unless `path` is a file's path below a directory that a hub may ask for:
// UTF-8 of at most 1000 bytes without control characters and backslashes, at most 16 parts, none of
// them empty, "." or "..", or longer than 255 bytes. `hub` names the hub in the message.
void check_path(const std::string& path, std::string_view hub);

// Percent-encodes all but letters, digits and "-._~"; a slash stays if `keep_slashes`.
std::string percent_encoded(std::string_view text, bool keep_slashes = false);

}  // namespace bifrons::hub
