// The shard of a process under every launcher, with the special cases of each.
#include <gtest/gtest.h>

#include <map>

#include "kernels/error.h"
#include "tools/bifrons/shard.h"

namespace bifrons::testing {
namespace {

using namespace cli;

using Variables = std::map<std::string, std::string>;

ShardChoice choose(const std::string& wanted, const Variables& variables) {
  return choose_shard(wanted, [&variables](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  });
}

std::string shard_of(const std::string& wanted, const Variables& variables) {
  const Shard shard = choose(wanted, variables).shard;
  return std::to_string(shard.index) + "/" + std::to_string(shard.count);
}

const Variables kStep = {{"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "4"}};
const Variables kArray = {{"SLURM_ARRAY_TASK_ID", "7"},
                          {"SLURM_ARRAY_TASK_MIN", "1"},
                          {"SLURM_ARRAY_TASK_MAX", "9"},
                          {"SLURM_ARRAY_TASK_COUNT", "5"},
                          {"SLURM_ARRAY_TASK_STEP", "2"}};

Variables both(Variables a, const Variables& b) {
  a.insert(b.begin(), b.end());
  return a;
}

TEST(Shard, SaidOutright) {
  EXPECT_EQ(shard_of("", {}), "0/1");
  EXPECT_EQ(shard_of("3/16", kStep), "3/16");
  EXPECT_EQ(shard_of("", {{"BIFRONS_SHARD", "2/5"}}), "2/5");
  EXPECT_EQ(shard_of("1/5", {{"BIFRONS_SHARD", "2/5"}}), "1/5");
  EXPECT_EQ(shard_of("", kStep), "0/1");  // launchers are used only on request
  for (const std::string bad :
       {"4/4", "-1/4", "1/0", "1", "/", "1/", "/4", "a/b", "1/4/2", "0/100000"}) {
    EXPECT_THROW(choose(bad, {}), Error) << bad;
  }
}

TEST(Shard, Launchers) {
  EXPECT_EQ(shard_of("auto", kStep), "1/4");
  EXPECT_EQ(shard_of("auto", kArray), "3/5");
  EXPECT_EQ(shard_of("auto", both(kArray, kStep)), "13/20");
  EXPECT_EQ(shard_of("auto", {{"OMPI_COMM_WORLD_RANK", "2"}, {"OMPI_COMM_WORLD_SIZE", "4"}}),
            "2/4");
  EXPECT_EQ(shard_of("auto", {{"PMI_RANK", "0"}, {"PMI_SIZE", "2"}}), "0/2");
  EXPECT_EQ(shard_of("auto", {{"RANK", "5"}, {"WORLD_SIZE", "8"}}), "5/8");
  EXPECT_EQ(shard_of("auto/16", {{"JOB_COMPLETION_INDEX", "9"}}), "9/16");
  EXPECT_EQ(shard_of("auto", {}), "0/1");
  EXPECT_EQ(shard_of("", both(kStep, {{"BIFRONS_SHARD", "auto"}})), "1/4");
}

TEST(Shard, Precedence) {
  // Under sbatch and mpirun, SLURM_PROCID is the one of the daemon.
  const Variables mpi = {{"OMPI_COMM_WORLD_RANK", "3"}, {"OMPI_COMM_WORLD_SIZE", "4"}};
  EXPECT_EQ(shard_of("auto", both(mpi, kStep)), "3/4");
  const Variables torchrun = {{"TORCHELASTIC_RUN_ID", "x"}, {"RANK", "6"}, {"WORLD_SIZE", "8"}};
  EXPECT_EQ(shard_of("auto", both(torchrun, kStep)), "6/8");
  EXPECT_EQ(shard_of("auto", both({{"RANK", "6"}, {"WORLD_SIZE", "8"}}, kStep)), "1/4");
}

// In a batch script without srun, every task would see itself as the first of four.
TEST(Shard, ABatchScriptWithoutSrunIsNoRank) {
  const ShardChoice choice = choose("auto", {{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}});
  EXPECT_EQ(choice.shard.count, 1);
  ASSERT_EQ(choice.warnings.size(), 1u);
  EXPECT_NE(choice.warnings[0].find("srun"), std::string::npos);
}

TEST(Shard, WhatCannotBeCountedIsRefused) {
  EXPECT_THROW(choose("auto", {{"JOB_COMPLETION_INDEX", "3"}}), Error);
  EXPECT_THROW(choose("auto/8", kStep), Error);
  EXPECT_THROW(choose("auto", {{"OMPI_COMM_WORLD_RANK", "4"}, {"OMPI_COMM_WORLD_SIZE", "4"}}),
               Error);
  EXPECT_THROW(choose("auto", {{"PMI_RANK", "x"}, {"PMI_SIZE", "2"}}), Error);
  // --array=1,5,7
  EXPECT_THROW(choose("auto", {{"SLURM_ARRAY_TASK_ID", "5"},
                               {"SLURM_ARRAY_TASK_MIN", "1"},
                               {"SLURM_ARRAY_TASK_MAX", "7"},
                               {"SLURM_ARRAY_TASK_COUNT", "3"}}),
               Error);
}

// `sbatch --array=3` runs one part of sixteen again.
TEST(Shard, PartsOfAnArrayThatAreSentAgain) {
  const auto array = [](const std::string& id, const std::string& count, const std::string& least,
                        const std::string& most) {
    return Variables{{"SLURM_ARRAY_TASK_ID", id},
                     {"SLURM_ARRAY_TASK_COUNT", count},
                     {"SLURM_ARRAY_TASK_MIN", least},
                     {"SLURM_ARRAY_TASK_MAX", most}};
  };
  EXPECT_EQ(shard_of("auto/16", array("3", "1", "3", "3")), "3/16");
  EXPECT_EQ(shard_of("auto/16", array("9", "3", "1", "9")), "9/16");  // --array=1,5,9
  EXPECT_EQ(shard_of("auto/16", array("3", "16", "0", "15")), "3/16");
  EXPECT_EQ(shard_of("auto/16", array("3", "16", "1", "16")), "2/16");
  EXPECT_THROW(choose("auto/16", array("16", "1", "16", "16")), Error);
  EXPECT_THROW(choose("auto/8", array("3", "16", "0", "15")), Error);
  // The number of parts is unknown without N. The one task then does everything and prints a
  // warning.
  const ShardChoice alone = choose("auto", array("3", "1", "3", "3"));
  EXPECT_EQ(alone.shard.count, 1);
  EXPECT_EQ(alone.warnings.size(), 1u);
  EXPECT_TRUE(choose("auto", array("0", "1", "0", "0")).warnings.empty());
}

}  // namespace
}  // namespace bifrons::testing
