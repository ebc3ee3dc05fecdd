"""Writes src/tokenizer/unicode_tables.h: classes of codepoints as the `tokenizers` library has
them.

usage: make_unicode_tables.py LETTER_PATTERN_JSON > src/tokenizer/unicode_tables.h

The digit tables come from the library itself, one codepoint at a time, and not from Python's
`unicodedata`: the two regex engines of the library use newer versions of Unicode than Python, and
two different ones. The letters come from the second pattern of the published pre-tokenizer.
LETTER_PATTERN_JSON is the list of its patterns. A row of the table is one item of the pattern's
character class.
"""
import json
import sys

import tokenizers
from code_tables import print_table, runs_of
from tokenizers import Regex, pre_tokenizers


def ranges_of(splitter):
    return runs_of(code for code in range(0x110000)
                   if not 0xD800 <= code < 0xE000 and len(splitter.pre_tokenize_str('q' + chr(code) + 'q')) > 1)


def ranges_in(bracket):
    found = []
    at = 0
    while at < len(bracket):
        last = at + 2 if bracket[at + 1:at + 2] == '-' else at
        found.append([ord(bracket[at]), ord(bracket[last])])
        at = last + 1
    return found


def main():
    letters = json.load(open(sys.argv[1], encoding='utf-8'))[1]
    prefix, suffix = '\\s?[', ']+'
    assert letters.startswith(prefix) and letters.endswith(suffix)
    print('// Sorted ranges of codepoints for the pre-tokenizer; made by\n'
          f'// tools/reference/make_unicode_tables.py with tokenizers {tokenizers.__version__}.\n'
          '#pragma once\n\n#include "src/tokenizer/unicode.h"\n\nnamespace bifrons {')
    print_table('The letters of the second pattern, one row for each item of its bracket.', 'CodeRange', 'kLetters',
                ranges_in(letters[len(prefix):-len(suffix)]))
    print_table('Rust\'s char::is_numeric, which the Digits pre-tokenizer asks.', 'CodeRange', 'kNumeric',
                ranges_of(pre_tokenizers.Digits(individual_digits=True)))
    print_table('\\p{N} of the regular expression engine, an older Unicode than the table above.', 'CodeRange',
                'kPropertyN', ranges_of(pre_tokenizers.Split(Regex(r'\p{N}'), 'isolated')))
    print('\n}  // namespace bifrons')


main()
