"""Writes src/io/letter_tables.h: letters of all scripts, for file names made from prompts.

usage: make_letter_tables.py > src/io/letter_tables.h
"""
import unicodedata

from code_tables import print_table, runs_of

# Marks and letters that are invisible by themselves (Default_Ignorable_Code_Point).
INVISIBLE = [(0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
             (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
             (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)]


def ranges_of(wanted):
    return runs_of(code for code in range(0x110000) if unicodedata.category(chr(code))[0] in wanted
                   and not any(first <= code <= last for first, last in INVISIBLE))


def mapped(change):
    """Runs of code points, one or two apart, that map to code points at the same distance."""
    found = []
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        to = change(chr(code))
        if len(to) != 1 or ord(to) == code:
            continue
        distance = ord(to) - code
        if found and found[-1][3] == distance:
            first, last, step, _ = found[-1]
            gap = code - last
            if gap in (1, 2) and (first == last or gap == step):
                found[-1][1:3] = [code, gap]
                continue
        found.append([code, code, 1, distance])
    return found


def main():
    print('// Sorted ranges of code points, made by tools/reference/make_letter_tables.py with Unicode '
          f'{unicodedata.unidata_version}.\n#pragma once\n\n#include <cstdint>\n\nnamespace bifrons {{\n\n'
          'struct LetterRange {\n  char32_t first, last;\n};\n\n'
          '// Every `step`-th code point from `first` to `last` maps to the code point at this distance.\n'
          'struct LetterChange {\n  char32_t first, last;\n  int32_t step, distance;\n};')
    print_table('Letters and numbers (L*, N*) that can be seen.', 'LetterRange', 'kNameLetters', ranges_of('LN'))
    print_table('Combining marks (M*) that can be seen.', 'LetterRange', 'kNameMarks', ranges_of('M'))
    print_table('What shows nothing by itself.', 'LetterRange', 'kNameInvisible', INVISIBLE)
    # The Turkish capital I with a dot alone becomes two; its simple mapping is i.
    print_table('Large letters to small ones.', 'LetterChange', 'kLowerLetters',
                mapped(lambda c: 'i' if c == '\u0130' else c.lower()))
    print_table('What else counts as the same letter where file names ignore case.', 'LetterChange', 'kSameLetters',
                mapped(lambda c: c.casefold() if c.lower() == c else c))
    print('\n}  // namespace bifrons')


if __name__ == '__main__':
    main()
