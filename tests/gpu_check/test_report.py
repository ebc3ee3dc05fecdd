"""The report on invented runs: floors, ratios, verdicts, merging, and messages about missing
parts."""
import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools" / "gpu_check"))
import collect  # noqa: E402
import report  # noqa: E402
from shapes import SHAPES  # noqa: E402

SMALL, LARGE = "janus-pro-1b", "janus-pro-7b"


def a_machine(**changes):
    return {"schema": 1, "date": "2026-11-24", "commit": "abc", "device": "cuda", "cuda": "13.0", "compiler": "g++ 13",
            "system": "Linux", "gpu": {"name": "NVIDIA H200", "driver": "580.1", "memory_megabytes": "143771",
                                       "sm_megahertz": "1980", "memory_megahertz": "3201", "watts": "100",
                                       "degrees": "40"}} | changes


def a_bench(shape, rows, read=4000.0):
    return {"schema": 1, "model": f"{shape}, random bf16 weights", "read_gigabytes_per_second": read,
            "rows": [{"name": name, "milliseconds": time} for name, time in rows]}


def a_cell(peer, pictures, batch):
    return {"peer": peer, "pictures": pictures, "batch_seconds": batch, "fastest_batch_seconds": batch,
            "first_code_seconds": 0.1, "step_milliseconds": 1e3 * (batch - 0.1) / 575, "runs": 3, "peak_gigabytes": 17.5}


def a_peers(shape, cells, read=4.0e12):
    return {"schema": 1, "kind": "peers", "shape": shape, "dtype": "bf16", "prompt": 64, "torch": "2.11.0",
            "transformers": "5.17.0", "device": "NVIDIA H200", "bandwidth": {"read": read, "copy": read}, "cells": cells,
            "decode": []}


def a_run(*parts, **machine):
    stages = {}
    for name, part in parts:
        stages[name] = {"stage": name, "status": "passed", "seconds": 10.0, "note": ""} | part
    return {"schema": 1, "machine": a_machine(**machine), "stages": stages}


class Floor(unittest.TestCase):
    """The floor compared with the published arithmetic of the two shapes."""

    def test_bytes_of_a_step(self):
        self.assertAlmostEqual(SHAPES[SMALL].step_weight_bytes() / 2e6, 1271, delta=1)
        self.assertAlmostEqual(SHAPES[LARGE].step_weight_bytes() / 2e6, 6155, delta=1)
        self.assertEqual(SHAPES[SMALL].cache_bytes(), 196608)
        self.assertEqual(SHAPES[LARGE].cache_bytes(), 491520)

    def test_seconds(self):
        for shape, pictures, seconds in ((SMALL, 1, 0.358), (SMALL, 64, 64 / 44.2), (LARGE, 1, 1.692), (LARGE, 16, 16 / 6.83)):
            self.assertAlmostEqual(SHAPES[shape].floor_seconds(pictures, 40, 4.3e12), seconds, delta=0.005 * seconds)


class Ours(unittest.TestCase):
    def test_without_pdl_is_another_line(self):
        run = a_run(("no-pdl-1b", {"bench": a_bench(SMALL, [("1 picture", 650.0)])}),
                    ("speculate", {"bench": a_bench(SMALL, [("pass, 1 column", 1.0)])}),
                    ("bench-1b", {"bench": a_bench(SMALL, [("1 picture", 576.0)])}))
        self.assertAlmostEqual(report.ours(run, SMALL, 1)["seconds"], 0.576)
        self.assertAlmostEqual(report.ours(run, SMALL, 1, pdl=False)["seconds"], 0.65)
        text = report.markdown(run)
        self.assertIn("| Bifrons, without PDL | 0.65 s", text)
        self.assertIn("| **Bifrons** | 0.576 s", text)

    def test_whole_pictures(self):
        run = a_run(("bench-1b", {"bench": a_bench(SMALL, [("1 picture", 576.0), ("4 pictures at once", 800.0),
                                                           ("drawing step, 4 pictures", 1.25)])}))
        self.assertEqual(report.ours(run, SMALL, 1), {"step_milliseconds": 1.0, "seconds": 0.576})
        self.assertEqual(report.ours(run, SMALL, 4), {"step_milliseconds": 1.25, "seconds": 0.8})

    def test_steps_without_the_draw_are_not_pictures(self):
        run = a_run(("bench-1b", {"bench": a_bench(SMALL, [("decode step, 2 rows", 0.5), ("prefill, 64 tokens", 8.0),
                                                           ("drawing step, 1 picture, first 15", 0.5)])}))
        self.assertIsNone(report.ours(run, SMALL, 1))
        self.assertEqual(report.targets(run), [])

    def test_what_does_not_fit_is_said(self):
        bench = a_bench(LARGE, [("1 picture", 2000.0)]) | {"skipped": ["64 pictures: not enough memory on the GPU: 7 more bytes",
                                                                       "decode step, 128 rows: not enough memory"]}
        text = report.markdown(a_run(("bench-7b", {"bench": bench})))
        self.assertRegex(text, r"\| \*\*Bifrons\*\* \| 2 s.* \|  \|  \| not enough memory on the GPU \|")

    def test_sixteen_are_not_one_and_sixty_four(self):
        run = a_run(("bench-1b", {"bench": a_bench(SMALL, [("16 pictures at once", 900.0), ("drawing step, 16 pictures", 1.0)])}))
        self.assertIsNone(report.ours(run, SMALL, 1))
        self.assertEqual(report.ours(run, SMALL, 16)["seconds"], 0.9)

    def test_bandwidth_is_the_best_that_was_seen(self):
        run = a_run(("bench-1b", {"bench": a_bench(SMALL, [], read=4100.0)}), ("peers-1b", {"peers": a_peers(SMALL, [])}))
        self.assertEqual(report.bandwidth(run), 4.1e12)
        run["stages"]["bandwidth"] = {"bandwidth": {"kind": "bandwidth", "bandwidth": {"read": 4.2e12, "copy": 4.0e12}}}
        self.assertEqual(report.bandwidth(run), 4.2e12)


class Verdicts(unittest.TestCase):
    def verdicts(self, one_small, many_small, one_large, eager, same_bits=True):
        vq = a_bench(SMALL, [("VQ decode 384x384", 2.4), ("VQ decode 384x384, 4 in a pass", 7.2)])
        vq["rows"][1]["same_bits"] = same_bits
        run = a_run(
            ("bench-1b", {"bench": a_bench(SMALL, [("1 picture", one_small), ("64 pictures at once", many_small)])}),
            ("bench-7b", {"bench": a_bench(LARGE, [("1 picture", one_large)])}),
            ("vq", {"bench": vq}),
            ("peers-7b", {"peers": a_peers(LARGE, [a_cell(report.EAGER, 1, eager), a_cell("graph", 1, 2.2)])}))
        return {(what, want): (got, holds) for what, want, got, holds in report.targets(run)}

    def test_held(self):
        found = self.verdicts(500, 2000, 2000, 13.0)
        self.assertEqual(len(found), 7)
        self.assertTrue(all(holds for _, holds in found.values()), found)
        self.assertEqual(found["VQ decode, one after another", "at most 2.5 ms a picture"], ("2.40 ms", True))
        self.assertEqual(found[LARGE + ", one picture", f"at least 6 x faster than {report.EAGER}"], ("6.5 x", True))

    def test_a_pass_with_other_bits_does_not_count(self):
        wanted = "VQ decode, 4 in a pass", "at most 2 ms a picture, with the bits of each alone"
        self.assertEqual(self.verdicts(500, 2000, 2000, 13.0)[wanted], ("1.80 ms, the same bits", True))
        self.assertEqual(self.verdicts(500, 2000, 2000, 13.0, False)[wanted], ("1.80 ms, other bits", False))

    def test_missed(self):
        found = self.verdicts(600, 3000, 2300, 11.0)
        self.assertEqual([holds for _, holds in found.values()], [False, False, False, True, True, False, False])

    def test_faster_than_the_floor_is_an_error(self):
        found = self.verdicts(300, 1000, 1000, 11.0)
        self.assertEqual([holds for _, holds in found.values()][:3], [False, False, False])

    def test_nothing_measured_is_nothing_claimed(self):
        self.assertEqual(report.targets(a_run()), [])
        self.assertNotIn("Wanted", report.markdown(a_run()))


class Table(unittest.TestCase):
    def test_ratios(self):
        run = a_run(("bench-1b", {"bench": a_bench(SMALL, [("1 picture", 500.0)])}),
                    ("peers-1b", {"peers": a_peers(SMALL, [a_cell(report.EAGER, 1, 6.0),
                                                           {"peer": report.EAGER, "pictures": 64, "skipped": "out of memory"}])}))
        text = report.markdown(run)
        least = SHAPES[SMALL].floor_seconds(1, 64, 4.0e12)
        self.assertIn(f"6 s, 10.3 ms a step, {6 / least:.2f} x floor, 12.0 x ours", text)
        self.assertIn("| transformers generate, memory | 17.5 GB |", text)
        self.assertIn("out of memory", text)
        self.assertTrue(text.startswith("# NVIDIA H200, 2026-11-24\n\ncommit abc, driver 580.1, CUDA 13.0"), text[:200])

    def test_every_table_has_whole_lines(self):
        run = a_run(("ops", {"tests": {"passed": 3, "failed": 0, "skipped": 1}}),
                    ("bench-7b", {"bench": a_bench(LARGE, [("1 picture", 3000.0)])}),
                    ("peers-7b", {"peers": a_peers(LARGE, [a_cell("graph", 4, 3.0)])}))
        for block in report.markdown(run).split("\n\n"):
            lines = block.splitlines()
            if lines[0].startswith("|"):
                self.assertEqual({line.count("|") for line in lines}, {lines[0].count("|")}, block)

    def test_stages_that_did_not_run_are_named(self):
        text = report.markdown(a_run(("ops", {"status": "failed", "note": "exit 1"})))
        self.assertIn("| ops | failed |  | 10 s | exit 1 |", text)
        self.assertIn("| peers-7b | not run |", text)


class Collecting(unittest.TestCase):
    def stage(self, document, **given):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "result.json")
            path.write_text(document if isinstance(document, str) else json.dumps(document))
            return collect.stage("ops", given.get("status", "passed"), 1.0, given.get("note", ""), path)

    def kept(self, cases):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        path = pathlib.Path(holder.name, "cases.json")
        path.write_text(json.dumps({"testsuites": [{"name": "Ops", "testsuite": cases}]}))
        return str(path)

    def test_cases_are_counted(self):
        cases = [{"name": "a/cuda", "status": "RUN", "result": "COMPLETED"},
                 {"name": "b/cuda", "status": "RUN", "result": "SKIPPED"},
                 {"name": "c/cpu", "status": "RUN", "result": "COMPLETED", "failures": [{"failure": "no"}]},
                 {"name": "d/cpu", "status": "RUN", "result": "COMPLETED"}, {"name": "e", "status": "NOTRUN"}]
        part = self.stage({"testsuites": [{"name": "Ops", "testsuite": cases}]})
        self.assertEqual(part["tests"], {"passed": 2, "failed": 1, "skipped": 2})
        self.assertEqual(report.main(["ran", self.kept(cases[:1])]), 0)
        with self.assertRaisesRegex(ValueError, "no case ran: was this built with CUDA"):
            report.main(["ran", self.kept(cases[1:2])])

    def test_a_result_cut_short_is_said(self):
        self.assertEqual(self.stage('{"schema": 1, "rows"', status="timed out", note="stopped after 60 s")["note"],
                         "stopped after 60 s; result.json is not whole")

    def test_no_result(self):
        self.assertEqual(set(collect.stage("ops", "failed", 1.0, "exit 1", "/nowhere/at.json")),
                         {"stage", "status", "seconds", "note"})
        with self.assertRaises(ValueError):
            collect.stage("ops", "fine", 1.0)

    def test_names(self):
        for gpu, name in (("NVIDIA H200", "h200"), ("NVIDIA H100 80GB HBM3", "h100-80gb-hbm3"), ("", "gpu")):
            self.assertEqual(collect.name_of(a_machine(gpu={"name": gpu})), name)
        self.assertEqual(collect.name_of(a_machine(gpu={}, device="cpu")), "cpu")

    def test_nvidia_smi(self):
        answer = "NVIDIA H200, 580.159.03, 143771, 345, 3201, 76.2, 31\n"
        self.assertEqual(collect.gpu_state(lambda *_: answer)["driver"], "580.159.03")
        self.assertEqual(collect.gpu_state(lambda *_: ""), {})
        self.assertEqual(collect.gpu_state(lambda *_: "No devices were found"), {})


class Merging(unittest.TestCase):
    def test_later_stages_win_but_skipped_ones_hide_nothing(self):
        first = a_run(("ops", {"status": "failed"}), ("laws", {}))
        second = a_run(("ops", {}), ("laws", {"status": "skipped"}), ("vq", {"status": "skipped"}))
        stages = collect.merge(first, second)["stages"]
        self.assertEqual({name: part["status"] for name, part in stages.items()},
                         {"ops": "passed", "laws": "passed", "vq": "skipped"})

    def test_what_does_not_belong_together(self):
        for change in ({"commit": "def"}, {"device": "cpu"}, {"gpu": {"name": "NVIDIA H100"}}):
            with self.assertRaises(ValueError, msg=change):
                collect.merge(a_run(), a_run(**change))

    def test_results_of_one_commit_add_up(self):
        with tempfile.TemporaryDirectory() as folder:
            work, results = pathlib.Path(folder, "work"), pathlib.Path(folder, "results")
            (work / "parts").mkdir(parents=True)
            for commit, name in (("abc", "ops"), ("abc", "vq"), ("def", "laws")):
                for old in (work / "parts").iterdir():
                    old.unlink()
                (work / "machine.json").write_text(json.dumps(a_machine(commit=commit)))
                part = {"stage": name, "status": "passed", "seconds": 1.0, "note": ""}
                (work / "parts" / f"{name}.json").write_text(json.dumps(part))
                stem = report.write(work, results)
                kept = json.loads(pathlib.Path(f"{stem}.json").read_text())["stages"]
                self.assertEqual(set(kept), {"laws"} if commit == "def" else {"ops", "vq"} if name == "vq" else {"ops"})
            self.assertEqual(stem.name, "h200-2026-11-24")
            self.assertEqual(sorted(path.name for path in results.iterdir()), [stem.name + ".json", stem.name + ".md"])


if __name__ == "__main__":
    unittest.main()
