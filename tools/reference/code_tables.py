"""Tables of code points as C++ arrays, for make_letter_tables.py and make_unicode_tables.py."""


def runs_of(codes):
    """[first, last] of each run of code points that follow each other."""
    found = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return found


def print_table(comment, kind, name, rows):
    """Rows whose first two numbers are code points."""
    print(f'\n// {comment}\ninline constexpr {kind} {name}[] = {{')
    line = '   '
    for row in rows:
        item = ' {' + ', '.join(f'0x{n:X}' if i < 2 else str(n) for i, n in enumerate(row)) + '},'
        if len(line) + len(item) > 100:
            print(line)
            line = '   '
        line += item
    print(line + '\n};')
