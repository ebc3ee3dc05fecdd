"""The Indexed Job: its fields are consistent, and its command draws the whole batch, index by
index."""
import re
import unittest

from batch_runs import SAMPLES, BatchRuns

try:
    import yaml
except ImportError:
    yaml = None


@unittest.skipUnless(yaml, "PyYAML is not installed")
class IndexedJob(BatchRuns):
    prompts = 24

    def setUp(self):
        super().setUp()
        documents = list(yaml.safe_load_all((SAMPLES / "kubernetes.yaml").read_text()))
        self.assertEqual(len(documents), 1)
        self.job = documents[0]
        self.pod = self.job["spec"]["template"]["spec"]
        self.container, = self.pod["containers"]

    def test_fields(self):
        self.assertEqual((self.job["apiVersion"], self.job["kind"]), ("batch/v1", "Job"))
        self.assertRegex(self.job["metadata"]["name"], r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
        spec = self.job["spec"]
        self.assertLessEqual(set(spec), {"completionMode", "completions", "parallelism", "backoffLimit", "template"})
        self.assertEqual(spec["completionMode"], "Indexed")
        self.assertGreaterEqual(spec["completions"], spec["parallelism"])
        self.assertIn(self.pod["restartPolicy"], ("OnFailure", "Never"))  # a Job accepts no other
        self.assertLessEqual(set(self.pod), {"restartPolicy", "terminationGracePeriodSeconds", "containers", "volumes"})
        self.assertLessEqual(set(self.container), {"name", "image", "command", "env", "resources", "volumeMounts"})
        self.assertRegex(self.container["image"], r"^[a-z0-9./-]+:[\w.-]+$")
        self.assertEqual(self.container["resources"]["limits"], {"nvidia.com/gpu": 1})
        self.assertTrue(all(isinstance(word, str) for word in self.container["command"]))
        for variable in self.container["env"]:
            self.assertEqual({key: type(value) for key, value in variable.items()}, {"name": str, "value": str})

    def test_volumes(self):
        mounts = {mount["name"]: mount["mountPath"] for mount in self.container["volumeMounts"]}
        self.assertEqual(set(mounts), {volume["name"] for volume in self.pod["volumes"]})
        for path in re.findall(r"/[\w./-]+", " ".join(word for word in self.container["command"] if word.startswith("/"))):
            self.assertTrue(any(path.startswith(place + "/") for place in mounts.values()), path)

    def test_count(self):
        count = self.job["spec"]["completions"]
        self.assertIn(f"auto/{count}", self.container["command"])

    def test_command(self):
        command = [word.replace("/data/", f"{self.folder}/") for word in self.container["command"]]
        self.file = self.file.rename(self.folder / "prompts.jsonl")
        self.file.write_text("".join(f'{{"prompt": "a fox with {i} apples"}}\n' for i in range(self.prompts)))
        for index in range(self.job["spec"]["completions"]):
            self.call(*command, JOB_COMPLETION_INDEX=str(index))
        merged = self.folder / "pictures"
        self.call("bifrons", "merge", "--check", merged)
        self.call("bifrons", "merge", merged)
        self.compare_with_one_run(merged)


if __name__ == "__main__":
    unittest.main()
