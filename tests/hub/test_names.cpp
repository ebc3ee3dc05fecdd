// Names of models, revisions and files, the choice of files, and the layout of the cache.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "kernels/error.h"
#include "src/hub/cache_layout.h"
#include "src/hub/file_choice.h"
#include "src/hub/http.h"
#include "src/hub/hub_requests.h"
#include "src/hub/known_models.h"
#include "src/hub/names.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

namespace fs = std::filesystem;

const std::string kCommit(40, 'c');
const std::string kDigest(64, 'd');

TEST(HubNames, ReferencesHaveAModelAndARevision) {
  const hub::ModelReference plain = hub::parse_reference("owner/name");
  EXPECT_EQ(plain.id, "owner/name");
  EXPECT_EQ(plain.revision, "");
  const hub::ModelReference full = hub::parse_reference("hf://owner/name@refs/pr/109");
  EXPECT_EQ(full.id, "owner/name");
  EXPECT_EQ(full.revision, "refs/pr/109");
  const hub::ModelReference other = hub::parse_reference("ms://owner/na.me@v1.0");
  EXPECT_EQ(other.kind, hub::HubKind::kModelScope);
  EXPECT_EQ(other.id, "owner/na.me");
  EXPECT_EQ(other.revision, "v1.0");
}

TEST(HubNames, ShortNamesAreOfOneTable) {
  EXPECT_EQ(hub::parse_reference("janus-pro-7b").id, "deepseek-ai/Janus-Pro-7B");
  EXPECT_EQ(hub::parse_reference("Janus-Pro-1B@main").id, "deepseek-ai/Janus-Pro-1B");
  for (const hub::KnownModel& model : hub::known_models()) {
    EXPECT_TRUE(hub::is_model_id(model.id)) << model.id;
    EXPECT_EQ(hub::known_model_by_id(model.id), hub::known_model(model.name));
  }
  EXPECT_EQ(hub::known_model("janus"), nullptr);
}

TEST(HubNames, WhatIsNoNameIsRefused) {
  for (const char* text :
       {"", "name", "a/b/c", "../b", "a/..", "a/.b", "a/b.", "a/b--c", "a/b c", "a/", "/b", "a/b@",
        "a/b@../c", "a/b@c/../d", "a/b@-c", "a/b@c d", "a/b\n", "https://host/a/b"}) {
    try {
      hub::parse_reference(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage) << text;
    }
  }
}

TEST(HubNames, AddressesAreEncoded) {
  EXPECT_EQ(hub::percent_encoded("refs/pr/1"), "refs%2Fpr%2F1");
  EXPECT_EQ(hub::percent_encoded("a b/\xc3\xa9?#%", true), "a%20b/%C3%A9%3F%23%25");
}

TEST(HubNames, SizesAreDecimal) {
  EXPECT_EQ(hub::bytes_text(0), "0 B");
  EXPECT_EQ(hub::bytes_text(999), "999 B");
  EXPECT_EQ(hub::bytes_text(1280), "1.28 kB");
  EXPECT_EQ(hub::bytes_text(92'800), "92.8 kB");
  EXPECT_EQ(hub::bytes_text(999'999), "1.00 MB");
  EXPECT_EQ(hub::bytes_text(4'180'000'000), "4.18 GB");
  EXPECT_EQ(hub::bytes_text(14'845'000'000), "14.8 GB");
}

TEST(HubAddresses, OriginIsSchemeHostAndPort) {
  if (!hub::can_download()) GTEST_SKIP() << "this build has no libcurl";
  const auto origin_is = [](const char* a, const char* b) {
    const auto first = hub::parse_address(a), second = hub::parse_address(b);
    return first && second && hub::same_origin(*first, *second);
  };
  EXPECT_TRUE(origin_is("https://Hub.test/x", "https://hub.test:443/y?z"));
  EXPECT_TRUE(origin_is("http://[::1]:8000/x", "http://[::1]:8000/"));
  EXPECT_FALSE(origin_is("https://hub.test/", "http://hub.test/"));
  EXPECT_FALSE(origin_is("https://hub.test/", "https://hub.test:444/"));
  EXPECT_FALSE(origin_is("https://hub.test/", "https://cdn.hub.test/"));
  EXPECT_FALSE(origin_is("https://hub.test/", "https://hub.test.evil/"));
  EXPECT_FALSE(origin_is("https://hub.test/", "https://hub.test./"));
}

TEST(HubAddresses, RelativeOnesAreBelowTheirBase) {
  if (!hub::can_download()) GTEST_SKIP() << "this build has no libcurl";
  const auto next = [](const char* text) {
    const auto address = hub::parse_address(text, "https://hub.test/a/b?c#d");
    return address ? address->text : std::string("none");
  };
  EXPECT_EQ(next("/x?y"), "https://hub.test/x?y");
  EXPECT_EQ(next("x"), "https://hub.test/a/x");
  EXPECT_EQ(next("//other.test/x"), "https://other.test/x");
  EXPECT_EQ(next("https://other.test/x"), "https://other.test/x");
  for (const char* bad : {"ftp://hub.test/", "file:///etc/passwd", "https://hub.test@evil.test/",
                          "https://a:b@evil.test/", "https://", "gopher://hub.test"}) {
    EXPECT_EQ(next(bad), "none") << bad;
  }
}

TEST(HubReplies, TellHowLongToWait) {
  hub::HubReply reply;
  reply.status = 429;
  EXPECT_EQ(hub::seconds_asked(reply), 0);
  reply.headers["ratelimit"] = "\"api\";r=0;t=55";
  EXPECT_EQ(hub::seconds_asked(reply), 56);
  reply.headers["retry-after"] = "7";
  EXPECT_EQ(hub::seconds_asked(reply), 7);
  reply.headers = {{"ratelimit", "t=-9"}, {"retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"}};
  EXPECT_EQ(hub::seconds_asked(reply), 0);
}

hub::Listing listing_of(std::initializer_list<std::pair<const char*, int64_t>> files) {
  hub::Listing listing{.model = {.id = "owner/name", .revision = "main"}, .commit = kCommit};
  for (const auto& [path, bytes] : files) listing.files.push_back({.path = path, .bytes = bytes});
  return listing;
}

std::set<std::string> chosen(const hub::Listing& listing, const hub::FileChoice& choice = {}) {
  std::set<std::string> paths;
  for (const hub::RemoteFile& file : hub::choose_files(listing, choice)) paths.insert(file.path);
  return paths;
}

TEST(HubChoice, SafetensorsOrPyTorchNeverBoth) {
  const auto both = listing_of({{"config.json", 1},
                                {"model-00001-of-00002.safetensors", 9},
                                {"model-00002-of-00002.safetensors", 9},
                                {"model.safetensors.index.json", 3},
                                {"pytorch_model.bin", 18},
                                {"pytorch_model.bin.index.json", 3},
                                {"adapter_model.safetensors", 2},
                                {"onnx/model.safetensors", 2},
                                {"training_args.bin", 2},
                                {"teaser.png", 2}});
  EXPECT_EQ(chosen(both), (std::set<std::string>{"config.json", "model-00001-of-00002.safetensors",
                                                 "model-00002-of-00002.safetensors",
                                                 "model.safetensors.index.json"}));
  const auto empty = listing_of({{"config.json", 1},
                                 {"model.safetensors", 0},
                                 {"pytorch_model-00001-of-00001.bin", 18},
                                 {"pytorch_model.bin.index.json", 3}});
  EXPECT_EQ(chosen(empty), (std::set<std::string>{"config.json", "pytorch_model-00001-of-00001.bin",
                                                  "pytorch_model.bin.index.json"}));
}

TEST(HubChoice, TheSmallestComesFirst) {
  const auto listing = listing_of({{"model.safetensors", 9}, {"config.json", 1}, {"README.md", 4}});
  const auto files = hub::choose_files(listing, {});
  EXPECT_EQ(files.front().path, "config.json");
  EXPECT_EQ(files.back().path, "model.safetensors");
}

TEST(HubChoice, PatternsTakeAndLeaveOut) {
  const auto listing =
      listing_of({{"config.json", 1}, {"model.safetensors", 9}, {"a/b/c.json", 1}, {"x.png", 1}});
  EXPECT_EQ(chosen(listing, {.include = {"*.json"}}),
            (std::set<std::string>{"config.json", "a/b/c.json"}));
  EXPECT_EQ(chosen(listing, {.exclude = {"model*"}}), (std::set<std::string>{"config.json"}));
  EXPECT_THROW(chosen(listing, {.include = {"*.json"}, .exclude = {"*"}}), Error);
}

TEST(HubCache, PathsAreThoseOfTheirLayout) {
  const hub::CacheLayout layout("/c", "owner/na.me");
  EXPECT_EQ(layout.repository(), "/c/models--owner--na.me");
  EXPECT_EQ(layout.blob(kDigest), "/c/models--owner--na.me/blobs/" + kDigest);
  EXPECT_EQ(layout.part(kDigest), "/c/models--owner--na.me/blobs/" + kDigest + ".incomplete");
  EXPECT_EQ(layout.lock(kDigest), "/c/.locks/models--owner--na.me/" + kDigest + ".lock");
  EXPECT_EQ(layout.reference("refs/pr/1"), "/c/models--owner--na.me/refs/refs/pr/1");
  EXPECT_EQ(hub::link_target("x", kDigest), "../../blobs/" + kDigest);
  EXPECT_EQ(hub::link_target("a/b/x", kDigest), "../../../../blobs/" + kDigest);
  EXPECT_THROW(hub::repository_folder("../x"), ContractError);
  EXPECT_THROW(layout.blob("../x"), ContractError);
  EXPECT_THROW(layout.snapshot("../x"), ContractError);
  EXPECT_THROW(layout.reference("../x"), ContractError);
}

TEST(HubCache, RevisionsLeadToSnapshots) {
  const TemporaryDirectory here;
  const hub::CacheLayout layout(here.path(), "owner/name");
  EXPECT_EQ(layout.snapshot_of_revision("main"), std::nullopt);
  layout.write_reference("refs/pr/7", kCommit);
  layout.write_reference(kCommit, kCommit);  // needs no file
  EXPECT_EQ(here.read("models--owner--name/refs/refs/pr/7"), kCommit);
  EXPECT_EQ(layout.commit_of("refs/pr/7"), kCommit);
  EXPECT_EQ(layout.commit_of(kCommit), kCommit);
  EXPECT_EQ(layout.snapshot_of_revision("refs/pr/7"), std::nullopt) << "no such directory";
  fs::create_directories(layout.snapshot(kCommit));
  EXPECT_EQ(layout.snapshot_of_revision("refs/pr/7"), layout.snapshot(kCommit));
  here.write("models--owner--name/refs/main", "../../../etc");
  EXPECT_EQ(layout.commit_of("main"), std::nullopt);
}

TEST(HubCache, LinksReplaceWhatIsThere) {
  const TemporaryDirectory here;
  const hub::CacheLayout layout(here.path(), "owner/name");
  const fs::path link = layout.snapshot(kCommit) / "a" / "x";
  ASSERT_TRUE(layout.link_to_blob(kCommit, "a/x", kDigest));
  EXPECT_EQ(fs::read_symlink(link), "../../../blobs/" + kDigest);
  fs::remove(link);
  fs::create_symlink("elsewhere", link);
  ASSERT_TRUE(layout.link_to_blob(kCommit, "a/x", kDigest));
  EXPECT_EQ(fs::read_symlink(link), "../../../blobs/" + kDigest);
  EXPECT_EQ(std::distance(fs::directory_iterator(link.parent_path()), {}), 1);
}

}  // namespace
}  // namespace bifrons::testing
