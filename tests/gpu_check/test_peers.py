"""The peers on a CPU with a tiny model: all compute the same, and a run writes every cell."""
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).parents[2] / "tools" / "gpu_check"
sys.path.insert(0, str(TOOLS))
HERE = all(importlib.util.find_spec(name) for name in ("torch", "transformers"))
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


@unittest.skipUnless(HERE, "PyTorch and transformers are not installed")
class Peers(unittest.TestCase):
    def test_the_graph_loop_draws_what_transformers_draws(self):
        import torch
        import graph_loop
        import transformers_peer
        from shapes import SHAPES
        torch.set_num_threads(1)
        shape = SHAPES["tiny"]
        model = transformers_peer.build(shape, "cpu", torch.float32)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "norm" not in name:
                    weight.mul_(6)  # spreads the logits: no step is a near tie
        prompt = transformers_peer.prompt_ids(shape, 9, "cpu")
        unprompted = prompt.clone()
        unprompted[:, 1:-1] = transformers_peer.special_ids(shape)["pad"]
        cache = transformers_peer.make_cache(model, prompt, shape)
        wanted = transformers_peer.draw(model, prompt, 2, shape.steps, cache, sample=False)
        again = transformers_peer.draw(model, prompt, 2, 5, cache, sample=False)
        self.assertTrue(torch.equal(again, wanted[:, :5]), "a reused cache remembers")
        self.assertGreater(len(set(wanted[0].tolist())), 3)
        loop = graph_loop.GraphLoop(model, shape, 2, 9)
        self.assertTrue(torch.equal(loop.draw(prompt, unprompted, shape.steps, sample=False), wanted))
        loop.warm_up(prompt, unprompted)
        self.assertTrue(torch.equal(loop.draw(prompt, unprompted, shape.steps, sample=False), wanted))
        drawn = loop.draw(prompt, unprompted, shape.steps)
        self.assertFalse(torch.equal(drawn[0], drawn[1]), "two sampled pictures are the same")

    def run_peers(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "peers.json")
            done = subprocess.run([sys.executable, TOOLS / "peers.py", "--device", "cpu", "--shape", "tiny", "--dtype", "f32",
                                   "--repeats", "1", "--prompt", "9", "-o", path, *arguments], env=ENVIRONMENT,
                                  capture_output=True, text=True)
            return done.returncode, done.stderr, json.loads(path.read_text()) if path.exists() else None

    def test_every_cell_is_written(self):
        code, err, report = self.run_peers("--pictures", "1,2", "--peers", "eager,graph,vq")
        self.assertEqual(code, 0, err)
        self.assertEqual([(cell["peer"], cell["pictures"]) for cell in report["cells"]],
                         [("transformers generate", 1), ("transformers generate", 2),
                          ("PyTorch CUDA-graph loop", 1), ("PyTorch CUDA-graph loop", 2)])
        for cell in report["cells"]:
            self.assertGreater(cell["batch_seconds"], cell["first_code_seconds"])
            self.assertGreater(cell["step_milliseconds"], 0)
        self.assertEqual(len(report["decode"]), 4)
        self.assertTrue(all(cell["milliseconds"] > 0 for cell in report["decode"]))
        self.assertGreater(report["bandwidth"]["read"], 0)

    def test_no_time(self):
        code, err, report = self.run_peers("--pictures", "1", "--seconds", "0")
        self.assertEqual(code, 0, err)
        self.assertEqual({cell["skipped"] for cell in report["cells"]}, {"no time left"})

    def test_no_device(self):
        done = subprocess.run([sys.executable, TOOLS / "peers.py", "-o", "/dev/null"], env=ENVIRONMENT, capture_output=True,
                              text=True)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (69, 1), done.stderr)
        self.assertIn("PyTorch sees no CUDA device", done.stderr)


if __name__ == "__main__":
    unittest.main()
