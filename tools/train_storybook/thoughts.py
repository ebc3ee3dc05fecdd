"""The thought that is written before a picture: its plan in words, "one fox: left; two yellow stars:
above right, below right; in the snow".

It names each thing, its number, the place of each, and the background, also where the caption
leaves them out. It never names what is held out: of colours that captions never name, it does not
speak either.
"""
import backgrounds
import scenes

COLUMNS, ROWS = {-1: "left", 1: "right"}, {-1: "above", 1: "below"}
MIDDLE = "center"
# How the engine asks for a thought (docs/think.md): as for a picture, but the assistant goes on in words.
STYLE = {"name": "storybook", "ask": "{prompt}", "same_sequence": True, "stop": ["<begin_of_image>"],
         "temperature": 1, "top_k": 0, "max_tokens": 64}


def side(first, size):
    """-1, 0 or 1: where a thing of `size` pixels that begins at cell `first` lies along an axis."""
    off = first + (size - scenes.SIDE) / (2 * scenes.CELL)
    return 0 if abs(off) <= 1 else -1 if off < 0 else 1


def place(spot):
    _, size, x, y = spot
    words = [table[s] for s, table in ((side(y, size), ROWS), (side(x, size), COLUMNS)) if s]
    return " ".join(words) or MIDDLE


def said(thing):
    """The thing as captions may name it."""
    return (None, thing[1]) if scenes.held_out_colour(thing) else thing


def thought(planned):
    spots = {}                               # of each thing, in the order of the scene
    for spot in planned.spots:
        spots.setdefault(spot[0], []).append(spot)
    parts = []
    for thing, of in spots.items():
        name = (scenes.noun if len(of) == 1 else scenes.plural)(said(thing))
        places = ", ".join(map(place, sorted(of, key=lambda spot: (spot[3], spot[2]))))
        parts.append(f"{scenes.NUMBERS[len(of)]} {name}: {places}")
    return "; ".join([*parts, backgrounds.phrase(planned.background)])
