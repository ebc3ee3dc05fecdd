// Edit prompts: the style's text becomes spans, and the spans become the rows of a picture.
#include "src/edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include "src/engine/edit_checks.h"
#include "src/engine/spans.h"
#include "src/io/quote.h"
#include "src/model/model.h"
#include "src/model/understanding_model.h"
#include "src/tokenizer/unicode.h"
#include "src/variation.h"
#include "src/weights/checkpoint.h"
#include "vision/networks/tower_input.h"

namespace bifrons {
namespace {

// Markers and order are facts of the checkpoints' formats. Janus-4o: README of ShareGPT-4o-Image.
// Janus-Pro-R1: its trainer for editing, where the picture enters as codes.
constexpr std::array kStyles{
    EditStyle{.name = "janus-4o",
              .prompt = "<|User|>: <begin_of_image>{features}<end_of_image><begin_of_image>{codes}"
                        "<end_of_image>{instruction}\n\n<|Assistant|>:<begin_of_image>",
              .part_row = true,
              .recognised = "janus-4o"},
    EditStyle{.name = "janus-pro-r1",
              .prompt =
                  "<|User|>: <begin_of_image>{codes}<end_of_image>{instruction} Please generate an "
                  "image.\n\n<|Assistant|>:<begin_of_image>",
              .apart = true,
              .keeps_picture = true,
              .crops = true,
              .recognised = "janus-pro-r1"}};

constexpr std::string_view kFeatures = "{features}", kCodes = "{codes}",
                           kInstruction = "{instruction}";

// A part of the conditional row.
struct Piece {
  enum Kind { kText, kInstructionAlone, kPicture, kPictureCodes } kind;
  PromptSpan span;

  int64_t length() const {
    return span.picture ? span.picture->count() : static_cast<int64_t>(span.ids.size());
  }
};

std::string with_roles(std::string_view text, bool role_tokens) {
  std::string out(text);
  if (role_tokens) return out;
  for (const auto& [token, word] :
       {std::pair<std::string_view, std::string_view>{"<|User|>", "User"},
        {"<|Assistant|>", "Assistant"}}) {
    for (size_t at; (at = out.find(token)) != out.npos;) out.replace(at, token.size(), word);
  }
  return out;
}

PromptSpan pads(int64_t count, int32_t pad) { return {std::vector<int32_t>(count, pad), {}}; }

}  // namespace

std::span<const EditStyle> edit_styles() { return kStyles; }

const EditStyle& edit_style(std::string_view name) {
  std::string known;
  for (const EditStyle& style : kStyles) {
    if (style.name == name) return style;
    known += (known.empty() ? "" : ", ") + std::string(style.name);
  }
  throw Error(ErrorKind::kUsage,
              fmt::format("there is no style {}; there are {}", quote(std::string(name)), known));
}

const EditStyle* edit_style_of(std::string_view model_name) {
  std::string lower(model_name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const EditStyle& style : kStyles) {
    if (lower.find(style.recognised) != lower.npos) return &style;
  }
  return nullptr;
}

// The model's view of a picture and its codes, as the style takes them.
struct PictureToEdit {
  std::shared_ptr<const EmbeddedPicture> features{}, codes{};
};

namespace {

// Pictures of the right lengths that nobody has embedded, for checks.
PictureToEdit outline(const Config& config, const EditStyle& style) {
  const auto picture = [](int64_t rows) {
    EmbeddedPicture made;
    made.rows = Tensor(nullptr, DType::kF32, {rows, 1});
    made.first_key = -1;
    return std::make_shared<const EmbeddedPicture>(std::move(made));
  };
  PictureToEdit shown;
  if (style.takes(kFeatures)) shown.features = picture(config.tower->tokens());
  if (style.takes(kCodes)) shown.codes = picture(config.image_tokens());
  return shown;
}

// The conditional row. The text between two slots is tokenized at once; so is the instruction with
// the text around it, unless the style says otherwise.
std::vector<Piece> pieces_of(const Tokenizer& t, const EditStyle& style, const PictureToEdit& shown,
                             std::string_view instruction, bool allow_special) {
  const SpecialIds special = t.special_ids();
  const std::string text = with_roles(style.prompt, special.user && special.assistant);
  const SpecialTokens mode = allow_special ? SpecialTokens::kMatch : SpecialTokens::kAsText;
  std::vector<Piece> pieces{{Piece::kText, {{special.bos}, {}}}};
  std::string pending;
  std::optional<size_t> words;  // where the instruction begins in `pending`
  const auto flush = [&] {
    if (pending.empty()) return;
    pieces.push_back(
        {Piece::kText,
         {words && !allow_special ? t.encode_guarded(pending, *words, *words + instruction.size())
                                  : t.encode(pending, SpecialTokens::kMatch),
          {}}});
    pending.clear();
    words.reset();
  };
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = std::string_view(text).substr(at);
    if (rest.starts_with(kFeatures)) {
      flush();
      pieces.push_back({Piece::kPicture, {{}, shown.features}});
      at += kFeatures.size();
    } else if (rest.starts_with(kCodes)) {
      flush();
      pieces.push_back({Piece::kPictureCodes, {{}, shown.codes}});
      at += kCodes.size();
    } else if (rest.starts_with(kInstruction)) {
      at += kInstruction.size();
      if (style.apart) {
        flush();
        pieces.push_back({Piece::kInstructionAlone, {t.encode(instruction, mode), {}}});
      } else {
        words = pending.size();
        pending += instruction;
      }
    } else {
      pending += text[at++];
    }
  }
  flush();
  return pieces;
}

SpannedRow unconditional(const EditStyle& style, const std::vector<Piece>& pieces, int32_t pad) {
  SpannedRow row;
  if (style.keeps_picture) {
    for (const Piece& piece : pieces) {
      row.push_back(piece.kind == Piece::kInstructionAlone ? pads(piece.length(), pad)
                                                           : piece.span);
    }
    return row;
  }
  int64_t length = 0;
  for (const Piece& piece : pieces) length += piece.length();
  row.push_back({{pieces.front().span.ids.front()}, {}});
  row.push_back(pads(length - 2, pad));
  row.push_back({{pieces.back().span.ids.back()}, {}});
  return row;
}

std::shared_ptr<const SpannedPrompt> prompt_of(const Tokenizer& tokenizer, const EditStyle& style,
                                               const PictureToEdit& shown,
                                               std::string_view instruction,
                                               const EditSettings& settings) {
  if (const std::optional<size_t> bad = invalid_utf8(instruction)) {
    throw Error(ErrorKind::kData,
                fmt::format("the instruction is not valid UTF-8 at byte {}", *bad));
  }
  const std::string_view words = python_strip(instruction);
  if (words.empty()) {
    throw Error(ErrorKind::kUsage, "the instruction is empty; say what to change in the picture");
  }
  const double weight = settings.image_guidance;
  if (!(weight >= 0 && weight <= kMostImageGuidance)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("image guidance must be a number from 0 to {}, not {}",
                            kMostImageGuidance, weight));
  }
  const std::vector<Piece> pieces =
      pieces_of(tokenizer, style, shown, words, settings.allow_special);
  const int32_t pad = tokenizer.special_ids().pad;
  SpannedRow full, part;
  for (const Piece& piece : pieces) {
    full.push_back(piece.span);
    part.push_back(piece.kind == Piece::kPictureCodes ? pads(piece.length(), pad) : piece.span);
  }
  auto prompt = std::make_shared<SpannedPrompt>();
  prompt->rows.push_back(std::move(full));
  prompt->shares = {1};
  if (style.part_row) {
    prompt->rows.push_back(std::move(part));
    prompt->shares = {1 / (1 + weight), weight / (1 + weight)};
  }
  prompt->rows.push_back(unconditional(style, pieces, pad));
  return prompt;
}

}  // namespace

struct Editor::State {
  Engine& engine;
  Engine::Parts parts;
  const EditStyle& style;
  std::optional<Understanding> understanding{};
  PictureToEdit shown{};
};

void check_edits(const Config& config, const Checkpoint& checkpoint, const std::string& directory,
                 const EditStyle& style) {
  if (style.takes(kFeatures)) check_sees(config, PublishedTensors(checkpoint), directory);
  if (style.takes(kCodes)) check_encoder(config, checkpoint, directory);
}

void check_edits(Engine& engine, const EditStyle& style) {
  const Engine::Parts parts = engine.parts();
  for (const std::string_view token : {"<begin_of_image>", "<end_of_image>"}) {
    if (parts.tokenizer.id_of(token)) continue;
    throw Error(ErrorKind::kData,
                fmt::format("this model does not edit pictures: its tokenizer.json "
                            "lacks the token {}",
                            token));
  }
  check_edits(parts.config, Checkpoint::open(parts.directory), parts.directory, style);
}

std::optional<Error> fault_of_edit(Engine& engine, const EditStyle& style,
                                   const DrawRequest& request, const EditSettings& settings) {
  const Engine::Parts parts = engine.parts();
  try {
    DrawRequest whole = request;
    whole.spans =
        prompt_of(parts.tokenizer, style, outline(parts.config, style), request.prompt, settings);
    return engine.fault_of(whole);
  } catch (const Error& error) {
    return error;
  }
}

Editor::Editor(Engine& engine, const EditStyle& style)
    : state_(std::make_unique<State>(State{engine, engine.parts(), style})) {
  check_edits(engine, style);
  if (style.takes(kFeatures)) state_->understanding = Understanding::open(engine);
}

Editor::Editor(Editor&&) noexcept = default;
Editor& Editor::operator=(Editor&&) noexcept = default;
Editor::~Editor() = default;

const EditStyle& Editor::style() const { return state_->style; }

void Editor::show(const Picture& picture) {
  State& s = *state_;
  const int64_t size = s.engine.model().image_size;
  if (s.understanding) {
    const Understanding::Parts seeing = s.understanding->parts();
    s.shown.features = embed_seen(seeing, seeing.prepare(picture));
  }
  if (s.style.takes(kCodes)) {
    s.shown.codes = embed_codes(
        s.parts, s.engine.encode(s.style.crops ? fitted(picture, size) : squared(picture, size)));
  }
}

std::shared_ptr<const SpannedPrompt> Editor::prompt(std::string_view instruction,
                                                    const EditSettings& settings) const {
  const State& s = *state_;
  check(!s.style.takes(kFeatures) || s.shown.features, "prompt: show() comes first");
  check(!s.style.takes(kCodes) || s.shown.codes, "prompt: show() comes first");
  return prompt_of(s.parts.tokenizer, s.style, s.shown, instruction, settings);
}

}  // namespace bifrons
