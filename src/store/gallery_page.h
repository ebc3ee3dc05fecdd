// The parts of the gallery's page around its data.
#pragma once

#include <string_view>

namespace bifrons {

inline constexpr std::string_view kGalleryStart = "<!doctype html><!-- bifrons gallery -->\n";

inline constexpr std::string_view kGalleryHead = R"html(<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bifrons gallery</title>
<style>
body { font: 15px/1.4 system-ui, sans-serif; margin: 0; background: Canvas; color: CanvasText; color-scheme: light dark; }
header { position: sticky; top: 0; display: flex; gap: 1em; padding: .7em 1em; background: Canvas; border-bottom: 1px solid GrayText; }
input { flex: 1; font: inherit; padding: .3em .6em; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(170px, 1fr)); gap: 10px; padding: 1em; }
figure { margin: 0; cursor: pointer; }
figure img { width: 100%; aspect-ratio: 1; object-fit: contain; background: #8883; }
figcaption { font-size: 13px; overflow: hidden; display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical; }
dialog { max-width: min(900px, 92vw); border: 1px solid GrayText; border-radius: 6px; }
dialog img { max-width: 100%; }
th { text-align: left; padding-right: 1em; vertical-align: top; font-weight: normal; color: GrayText; }
td { word-break: break-word; }
code { display: block; white-space: pre-wrap; padding: .6em; background: #8882; }
</style></head><body>
<header><input id="search" type="search" placeholder="Search prompts and settings" aria-label="Search">
<select id="order" aria-label="Order"><option value="index">file order</option><option value="text">prompt</option>
<option value="seed">seed</option></select><span id="count"></span></header>
<main id="pictures"></main>
<dialog id="detail"><form method="dialog"><button>Close</button> <button type="button" id="copy">Copy command</button></form>
<p><img id="large" alt=""></p><code id="command"></code><table><tbody id="settings"></tbody></table></dialog>
<script id="data" type="application/json">[
)html";

// The script lines that add the options of numbers to a command are inserted between the next two
// strings.
inline constexpr std::string_view kGalleryScript = R"html(]</script>
<script>
"use strict";
const all = JSON.parse(document.getElementById("data").textContent);
for (const p of all) if (p.seed === undefined) p.seed = p.large_seed;
const at = id => document.getElementById(id);
const make = (name, text) => { const e = document.createElement(name); if (text !== undefined) e.textContent = text; return e; };
const quoted = text => "'" + String(text).replaceAll("'", "'\\''") + "'";
const haystack = all.map(p => JSON.stringify(Object.values(p)).toLowerCase());
let shown = [], next = 0;

// Flags at their defaults are left out.
function command(p) {
  let words = "bifrons generate -p " + quoted(p.text) + " -s " + p.seed;
  if (p.edit && p.edit.image !== undefined) {  // the path begins at the directory of this page
    const image = p.edit.image.replace(/^-/, "./-"), change = p.text.replace(/^-/, " -");
    words = "bifrons edit " + quoted(image) + " " + quoted(change) + " -s " + p.seed + " --style " + p.edit.style;
    if (p.edit.image_guidance !== null && p.edit.image_guidance !== 5) words += " --image-guidance " + p.edit.image_guidance;
    if (p.edit.apply_orientation) words += " --apply-orientation";
  }
  if (p.negative_prompt !== undefined) words += " -n " + quoted(p.negative_prompt);
)html";

inline constexpr std::string_view kGalleryTail =
    R"html(  if (p.rope !== "f32") words += " --rope " + p.rope;
  if (p.kv_cache === "int8") words += " --kv int8";
  if (p.allow_special) words += " --allow-special";
  if (p.thought !== undefined) words += " --think=" + quoted(p.think) + " --thought " + quoted(p.thought);
  return p.model === "storybook" ? words : words + " -m " + quoted("/path/to/" + p.model);
}

// Names may hold signs that mean something in addresses.
const address = p => p.file_name.split("/").map(encodeURIComponent).join("/");

function open(p) {
  at("large").src = address(p);
  at("command").textContent = command(p);
  at("settings").replaceChildren(...Object.entries(p).map(([name, value]) => {
    const row = make("tr");
    row.append(make("th", name), make("td", typeof value === "object" ? JSON.stringify(value) : value));
    return row;
  }));
  at("detail").showModal();
}

function card(p) {
  const figure = make("figure"), image = make("img");
  image.loading = "lazy";
  image.src = address(p);
  image.alt = p.text;
  figure.tabIndex = 0;
  figure.append(image, make("figcaption", p.text));
  figure.onclick = () => open(p);
  figure.onkeydown = event => { if (event.key === "Enter") open(p); };
  return figure;
}

// Pictures come as they are scrolled to: a page of a million stays light.
function more() {
  const some = shown.slice(next, next + 200);
  next += some.length;
  at("pictures").append(...some.map(i => card(all[i])));
}

function search() {
  const words = at("search").value.toLowerCase().split(/\s+/).filter(word => word);
  const key = at("order").value;
  shown = [...all.keys()].filter(i => words.every(word => haystack[i].includes(word)));
  const value = i => key === "seed" ? BigInt(all[i].seed) : all[i][key];
  if (key !== "index") shown.sort((a, b) => value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : a - b);
  next = 0;
  at("pictures").replaceChildren();
  at("count").textContent = shown.length + " of " + all.length;
  more();
}

at("search").oninput = search;
at("order").onchange = search;
at("copy").onclick = () => navigator.clipboard.writeText(at("command").textContent);
addEventListener("scroll", () => {
  if (next < shown.length && innerHeight + scrollY > document.body.scrollHeight - 1500) more();
}, { passive: true });
search();
</script></body></html>
)html";

}  // namespace bifrons
