#!/usr/bin/env python3
"""The gallery as a person meets it: opened, searched and clicked in headless Chromium.

usage: test_gallery_page.py BIFRONS MODEL_DIRECTORY

Exit status 77: Chromium or its driver is not installed (tools/install_deps.sh --tests).
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request

PROMPTS = ["a cat on a hill", "two dogs", "<script>document.title = 'broken'</script>", "a fox, it's \"quoted\" & more"]


class Browser:
    """One page of Chromium, driven by the W3C WebDriver protocol."""

    def __init__(self):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                self.base = f"http://127.0.0.1:{line.split()[-1].rstrip('.')}/session"
                break
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,800"]
        answer = self.ask("POST", "", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}})
        self.base += "/" + answer["sessionId"]

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method, headers={"Content-Type": "application/json"},
                                         data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, page):
        self.ask("POST", "/url", {"url": page.as_uri()})

    def run(self, script, *arguments):
        """What a script in the page returns; a promise is waited for."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector):
        found = self.ask("POST", "/elements", {"using": "css selector", "value": selector})
        return [next(iter(each.values())) for each in found]

    def click(self, element):
        self.ask("POST", f"/element/{element}/click", {})

    def type(self, element, text):
        self.ask("POST", f"/element/{element}/clear", {})
        self.ask("POST", f"/element/{element}/value", {"text": text})

    def text(self, element):
        return self.ask("GET", f"/element/{element}/text")

    def close(self):
        self.ask("DELETE", "")
        self.driver.terminate()
        self.driver.wait()
        self.driver.stdout.close()


class GalleryPage(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="bifrons-gallery-")
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        # Seeds beyond the exact integers of JavaScript, and names with characters that have a
        # meaning in URLs.
        lines = [json.dumps({"prompt": prompt, "seed": 2**63 + 41 - i, "cfg": 3, "output": f"a #{i} & 50%/猫 25%23"})
                 for i, prompt in enumerate(PROMPTS)]
        (self.folder / "prompts.jsonl").write_text("\n".join(lines) + "\n")
        # The page names the model after its directory.
        (self.folder / model.name).symlink_to(model)
        self.bifrons("batch", "prompts.jsonl", "-o", "out", "-m", model.name, "--gallery", "-q")
        self.browser = Browser()
        self.addCleanup(self.browser.close)
        self.browser.open(self.folder / "out" / "index.html")

    def bifrons(self, *arguments):
        subprocess.run([program, *arguments], cwd=self.folder, check=True, stdout=subprocess.DEVNULL)

    def shown(self):
        return [self.browser.text(caption) for caption in self.browser.find("figcaption")]

    def count(self):
        return self.browser.text(self.browser.find("#count")[0])

    def test_every_picture_is_there_and_prompts_are_only_text(self):
        self.assertEqual(self.shown(), PROMPTS)
        self.assertEqual(self.count(), "4 of 4")
        self.assertNotEqual(self.browser.ask("GET", "/title"), "broken")
        widths = self.browser.run(
            "return Promise.all([...document.images].filter(i => i.id != 'large').map(async i => "
            "{ i.loading = 'eager'; await i.decode(); return i.naturalWidth; }))")
        self.assertEqual(len(widths), 4)
        self.assertTrue(all(width > 0 for width in widths), widths)

    def test_search_narrows_and_widens(self):
        box = self.browser.find("#search")[0]
        self.browser.type(box, "DOGS two")
        self.assertEqual(self.shown(), ["two dogs"])
        self.assertEqual(self.count(), "1 of 4")
        self.browser.type(box, "nobody")
        self.assertEqual(self.shown(), [])
        self.browser.ask("POST", f"/element/{box}/clear", {})
        self.browser.run("document.getElementById('search').dispatchEvent(new Event('input'))")
        self.assertEqual(self.count(), "4 of 4")

    def test_the_order_of_seeds_is_that_of_whole_numbers(self):
        self.browser.run("const s = document.getElementById('order'); s.value = 'seed'; s.dispatchEvent(new Event('change'))")
        self.assertEqual(self.shown(), PROMPTS[::-1])

    def test_a_clicked_picture_gives_the_command_that_draws_it_again(self):
        dialog = self.browser.find("#detail")[0]
        self.assertIsNone(self.browser.ask("GET", f"/element/{dialog}/attribute/open"))
        self.browser.click(self.browser.find("figure")[3])
        self.assertEqual(self.browser.ask("GET", f"/element/{dialog}/attribute/open"), "true")
        settings = self.browser.text(self.browser.find("#settings")[0])
        self.assertIn(f"seed {2**63 + 38}", settings)
        command = self.browser.text(self.browser.find("#command")[0])
        self.assertIn(f"-m '/path/to/{model.name}'", command)
        command = command.replace("/path/to/", "./")
        subprocess.run(["bash", "-c", command + " -q -o again.png"], cwd=self.folder, check=True,
                       env={"PATH": f"{program.parent}:/usr/bin:/bin"}, stdout=subprocess.DEVNULL)
        manifest = (self.folder / "out" / "metadata.jsonl").read_text().splitlines()
        name = next(entry["file_name"] for entry in map(json.loads, manifest) if entry["text"] == PROMPTS[3])
        self.assertEqual((self.folder / "again.png").read_bytes(), (self.folder / "out" / name).read_bytes())
        self.browser.click(self.browser.find("#detail button")[0])
        self.assertIsNone(self.browser.ask("GET", f"/element/{dialog}/attribute/open"))


if __name__ == "__main__":
    program, model = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    if not shutil.which("chromedriver") or not shutil.which("chromium"):
        print("skipped: Chromium or its driver is not installed (tools/install_deps.sh --tests)")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
