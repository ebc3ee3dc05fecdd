"""The Slurm script on a real cluster: an array of four tasks; one is killed while it draws and is
requeued; then the merge."""
import re
import time
import unittest

from batch_runs import SAMPLES, BatchRuns


class Array(BatchRuns):
    prompts = 400
    tasks = 4
    victim = 1

    def states(self, job):
        """Number and state of every task of the array that has started."""
        shown = self.call("scontrol", "-o", "show", "job", job)
        return {int(task): state for task, state in re.findall(r"ArrayTaskId=(\d+) .*?JobState=(\w+)", shown)}

    def wait(self, done, seconds=120, pause=0.2):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if done():
                return
            time.sleep(pause)
        self.fail("Slurm: " + self.call("squeue", "-o", "%i %T %r"))

    def lines(self):
        """Pictures that the killed task has in its manifest."""
        path = self.merged / f"metadata.{self.victim:05}-of-{self.tasks:05}.jsonl"
        return path.read_text().count("\n") if path.exists() else 0

    def test_a_task_killed_and_requeued(self):
        self.merged = self.folder / "pictures"
        job = self.call("sbatch", "--parsable", f"--array=0-{self.tasks - 1}", SAMPLES / "slurm.sbatch", self.file, "-o",
                        self.merged).strip()
        task = f"{job}_{self.victim}"
        self.wait(lambda: self.lines() >= 3, pause=0.002)
        self.call("scancel", "--signal=KILL", "--batch", task)
        self.wait(lambda: self.states(job).get(self.victim) == "FAILED")
        kept = self.lines()
        self.assertLess(kept, self.prompts // self.tasks, "the task was done before it was killed")

        # A node refuses to start a task that it has just killed; it compares the two times in whole
        # seconds.
        time.sleep(2)
        self.call("scontrol", "requeue", task)
        self.call("scontrol", "update", f"JobId={task}", "StartTime=now")  # default: 2 minutes later
        self.call("sbatch", "--wait", f"--dependency=afterany:{job}", "--wrap",
                  f"bifrons merge --check {self.merged} && bifrons merge {self.merged}")
        self.assertEqual(self.states(job), {i: "COMPLETED" for i in range(self.tasks)})
        log = (self.folder / f"bifrons-{task}.log").read_text()
        self.assertRegex(log, rf"(?m)\b{kept}\b", "the second start says what it found done")
        self.compare_with_one_run(self.merged)


if __name__ == "__main__":
    unittest.main()
