"""Writes the results of the `tokenizers` library for texts that the C++ tests build as well: ids,
prompts, hashes.

usage: make_tokenizer_goldens.py OUT_DIR [PUBLISHED_DIR]

First trains OUT_DIR/small/tokenizer.json: byte-level BPE in the published layout, with the letters
that Janus-Pro-7B adds as tokens. Writes OUT_DIR/small.json. With PUBLISHED_DIR, which has A/ (ids
of Janus-Pro-7B) and B/ (ids of Janus-Pro-1B), also writes OUT_DIR/A.json and OUT_DIR/B.json.
"""
import json
import pathlib
import sys

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

BOS, EOS, PAD, BEGIN = '<｜begin▁of▁sentence｜>', '<｜end▁of▁sentence｜>', '<｜▁pad▁｜>', '<begin_of_image>'
SPECIAL = [PAD, BEGIN, '<image_0>', '<image_1>', '<image_10>', '<end_of_image>', '<image_placeholder>',
           '<patch_placeholder>', '<|ref|>', '<|/ref|>', '<|det|>', '<|/det|>', '<|grounding|>',
           '<|User|>', '<|Assistant|>']
BYTE_LETTERS = 'øöúÿõ÷ûýÀùÁþü'  # stand for bytes that valid UTF-8 never contains
LAYOUT = pathlib.Path(__file__).resolve().parents[2] / 'src/tokenizer/unicode_tables.h'

LESSON = """A red balloon over a quiet harbour at dawn, painted with watercolours and a little ink.
Two small cats and three large dogs are sleeping under the old wooden table in the kitchen.
The photograph shows a woman's hand holding 12 blue marbles; it's 1999, and she doesn't know.
Une forêt d'automne près du château, où le garçon rêve d'été. Straße, naïve, façade, São Paulo.
Красный шар над тихой гаванью на рассвете. Два маленьких кота спят под столом.
Ένα κόκκινο μπαλόνι πάνω από το λιμάνι. წითელი ბუშტი ნავსადგურის თავზე.
一只红色的气球飘在安静的港口上空，两只小猫睡在桌子下面。赤い風船が静かな港の上に浮かんでいます。
빨간 풍선이 조용한 항구 위에 떠 있다. बंदरगाह के ऊपर एक लाल गुब्बारा है १२३। ลูกโป่งสีแดง
for (int i = 0; i < 10; ++i) { sum += table[i] * 2.5; }    // a comment with    spaces\t\ttabs
"""

# Readable texts; each is encoded with special tokens matched and as text.
CASES = [
    '', ' ', '  ', '\n', '\n\n', '\r\n', '\t', ' \n ', 'a', 'Hello, how are you?', 'a 1', '12345', 'a  b',
    'a   b   ', '你好 world', 'Führer', 'ÿ÷ø', 'x \n', 'x\n ', '3.14 ½ Ⅷ ௰ १२३ ①②③ 𝟘𝟙', 'don\'t it\'s WE\'LL',
    '   leading', 'trailing   ', 'tabs\t\tand\u00a0no-break\u2003em\u3000ideographic\u200bzero', '\u2028line\u2029para\u0085nel',
    '👩‍👩‍👧‍👦 family 🏳️‍🌈 flag 👍🏽', 'e\u0301 n\u0303 Z\u0351\u036b\u0343', '‘single’ “double” … — –', '、。　「」！？～＠',
    'ﬁ ﬀ Ａｂｃ １２３ Ⅳ ℃ № ™', '𐐀𐐨 𐒰 𐲀 𑢠 𞤀', 'Ꭰ ꭰ ა Ა ꙁ ꜣ', '한국어 日本語 ไทย עברית العربية हिन्दी', '\u0000\u0001\u001c\u007f',
    'C:\\path\\file.txt [x] {y} <z> | ~ ^ `', '<|User|>: hi\n\n<|Assistant|>:', '<image_10><image_1><image_0><image_', '<|User|',
    '<begin_of_image><end_of_image>', BOS + ' x ' + EOS, 'a' * 60, ' ' * 40, '你' * 30, '\n' * 12, '🙂' * 10, '<' * 20, 'ab ' * 20,
    'The five boxing wizards jump quickly: 0123456789!',
]
PROMPTS = ['', '   ', 'a red balloon', '  spaced out \n', '\u001cstripped\u3000', '<|User|>', 'x<begin_of_image>y', 'ends with space \u00a0x',
           ': colon', '\n\nlines\n\ninside\n\n', '1', '你好。', 'Führer <|Assistant|>:', '\u200bzero width stays\u200b', '…', '<', '🙂']
ATOMS = ['a', 'b', 'the', ' the', ' cat', 'Cat', 'é', 'ü', 'ø', 'ß', 'д', ' дом', 'Ω', 'ა', '你', '好', 'の', '한', 'ไ', 'म', '१', '1', '42', '½', 'Ⅷ', '①',
         '௰', '𝟘', '\U00011de5', '.', ', ', '!?', ' "', "'s", '(', '‘', '”', '。', '　', '！', '～', '١', ' ', '  ', '   ', '\n', '\r\n', '\t', '\u00a0', '\u2003',
         '\u2028', '\u0085', '\u1680', '\u180e', '\u200b', '\ufeff', '\u0301', '\u200d', '👩', '🏽', '\ufe0f', '\U00010400', '\U0001e900', '<', '<|', '|>',
         '<image_', '<image_1', '<image_10>', '<|User|>', '<begin_of_image>', EOS, '\u0000', '\ud7fb', '\ue000', '\U0010ffff', '~~~', '==', 'http://x.y/z']
MIXED_BLOCKS, MIXED_TEXTS = 120, 50
PLANE_BLOCK = 1024


def letters():
    """The character class of the second split, from the table that the C++ code uses."""
    body = LAYOUT.read_text().split('kLetters[] = {')[1].split('};')[0]
    rows = [[chr(int(code, 16)) for code in row.strip(' {}').split(', ')] for row in body.replace('\n', ' ').split('},') if row.strip()]
    return ''.join(a if a == b else f'{a}-{b}' for a, b in rows)


def document(vocabulary, merges):
    names = [(BOS, True), (EOS, True)] + [(c, False) for c in BYTE_LETTERS] + [(s, True) for s in SPECIAL]
    added = [{'id': len(vocabulary) + i, 'content': name, 'single_word': False, 'lstrip': False, 'rstrip': False,
              'normalized': not special, 'special': special} for i, (name, special) in enumerate(names)]
    patterns = ['[\\r\\n]', f'\\s?[{letters()}]+', '\\s?[!-/:-~！-／：-～‘-‟　-。]+', '\\s+$', '[一-龥ࠀ-一가-퟿]+']
    splits = [{'type': 'Split', 'pattern': {'Regex': p}, 'behavior': 'Isolated', 'invert': False} for p in patterns]
    return {'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': added,
            'normalizer': {'type': 'Sequence', 'normalizers': []},
            'pre_tokenizer': {'type': 'Sequence', 'pretokenizers': splits + [
                {'type': 'Digits', 'individual_digits': True},
                {'type': 'ByteLevel', 'add_prefix_space': False, 'trim_offsets': True, 'use_regex': False}]},
            'post_processor': {'type': 'ByteLevel', 'add_prefix_space': True, 'trim_offsets': False, 'use_regex': True},
            'decoder': {'type': 'ByteLevel', 'add_prefix_space': True, 'trim_offsets': True, 'use_regex': True},
            'model': {'type': 'BPE', 'dropout': None, 'unk_token': None, 'continuing_subword_prefix': None,
                      'end_of_word_suffix': None, 'fuse_unk': False, 'byte_fallback': False,
                      'vocab': vocabulary, 'merges': merges}}


def train_small(folder):
    alphabet = sorted(set(pre_tokenizers.ByteLevel.alphabet()) - set(BYTE_LETTERS))
    bare = Tokenizer.from_str(json.dumps(document({c: i for i, c in enumerate(alphabet)}, []), ensure_ascii=False))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = bare.pre_tokenizer
    tokenizer.train_from_iterator(LESSON.split('\n') * 4, trainers.BpeTrainer(
        vocab_size=len(alphabet) + 600, min_frequency=2, initial_alphabet=alphabet, show_progress=False))
    model = json.loads(tokenizer.to_str())['model']
    merges = [m if isinstance(m, str) else ' '.join(m) for m in model['merges']]
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document(model['vocab'], merges), ensure_ascii=False, indent=1)
    (folder / 'tokenizer.json').write_text(text + '\n', encoding='utf-8')


class Random:
    """The same numbers as in the C++ test: upper half of a 64-bit linear congruential generator."""

    def __init__(self, seed):
        self.state = seed

    def below(self, bound):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % bound


def mixed_text(random):
    parts = []
    for _ in range(1 + random.below(16)):
        atom = ATOMS[random.below(len(ATOMS))]
        parts.append(atom * (1 + random.below(3)))
    return ''.join(parts)


def plane_text(first):
    codes = (c for c in range(first, first + PLANE_BLOCK) if not 0xD800 <= c < 0xE000)
    return ''.join('a{0}b {0} 1{0}{0}\n{0} x {0}\n'.format(chr(c)) for c in codes)


def digest(lists):
    state = 0xcbf29ce484222325
    for ids in lists:
        for value in [*ids, 0xffffffff]:
            state = (state ^ value) * 0x100000001b3 % 2**64
    return f'{state:016x}'


def goldens(folder):
    matching = Tokenizer.from_file(str(folder / 'tokenizer.json'))
    as_text = Tokenizer.from_file(str(folder / 'tokenizer.json'))
    as_text.encode_special_tokens = True

    def both(text):
        return matching.encode(text).ids, as_text.encode(text).ids

    def prompt(text, guarded):
        stripped = text.strip()
        middle = f': {stripped}\n\n' if stripped else ':'
        user, assistant = matching.token_to_id('<|User|>'), matching.token_to_id('<|Assistant|>')
        whole = matching.encode(f'<|User|>{middle}<|Assistant|>:').ids
        parts = [user, *as_text.encode(middle).ids, assistant, *as_text.encode(':').ids]
        return [matching.token_to_id(BOS), *(parts if guarded else whole), matching.token_to_id(BEGIN)]

    random = Random(2026)
    cases = []
    for text in CASES:
        ids, plain = both(text)
        cases.append({'text': text, 'ids': ids, 'ids_as_text': plain, 'decoded': matching.decode(ids, skip_special_tokens=False),
                      'decoded_skipping': matching.decode(ids, skip_special_tokens=True)})
    blocks = [[mixed_text(random) for _ in range(MIXED_TEXTS)] for _ in range(MIXED_BLOCKS)]
    return {'cases': cases,
            'prompts': [{'prompt': p, 'ids': prompt(p, True), 'ids_special': prompt(p, False)} for p in PROMPTS],
            'atoms': ATOMS, 'mixed_texts': MIXED_TEXTS,
            'mixed': [digest(ids for text in block for ids in both(text)) for block in blocks],
            'plane_block': PLANE_BLOCK,
            'planes': [digest([matching.encode(plane_text(first)).ids]) for first in range(0, 0x110000, PLANE_BLOCK)]}


def write(path, value):
    lines = [f'{json.dumps(k)}: [\n' + ',\n'.join(json.dumps(v) for v in vs) + '\n]' if isinstance(vs, list) else
             f'{json.dumps(k)}: {json.dumps(vs)}' for k, vs in value.items()]
    path.write_text('{\n' + ',\n'.join(lines) + '\n}\n')


def main():
    out = pathlib.Path(sys.argv[1])
    train_small(out / 'small')
    write(out / 'small.json', goldens(out / 'small'))
    for variant in ['A', 'B'] if len(sys.argv) > 2 else []:
        write(out / f'{variant}.json', goldens(pathlib.Path(sys.argv[2]) / variant))


main()
