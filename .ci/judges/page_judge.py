"""Looks at two screenshots of the benchmark page, one light and one dark.

    python3 page_judge.py light.png dark.png

A page that a browser could not draw is one colour, or lacks the colours of its charts.
"""

import struct
import sys
import zlib


def pixels(path):
    """Width, height, and the rows of RGB triples of a PNG of 8 bits a channel, not interlaced."""
    data = open(path, "rb").read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", f"{path}: no PNG"
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            assert depth == 8 and colour in (2, 6) and interlace == 0, f"{path}: a form of PNG that is not read here"
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    size = 3 if colour == 2 else 4
    stride = width * size
    raw = zlib.decompress(packed)
    rows, before = [], bytearray(stride)
    for y in range(height):
        start = y * (stride + 1)
        row = unfilter(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), before, size)
        rows.append([tuple(row[x : x + 3]) for x in range(0, stride, size * 4)])
        before = row
    return width, height, rows


def unfilter(kind, row, before, size):
    """A row of a PNG as it was before its filter (RFC 2083, section 6)."""
    for i in range(len(row)):
        left = row[i - size] if i >= size else 0
        up, corner = before[i], before[i - size] if i >= size else 0
        if kind == 1:
            row[i] = (row[i] + left) & 255
        elif kind == 2:
            row[i] = (row[i] + up) & 255
        elif kind == 3:
            row[i] = (row[i] + (left + up) // 2) & 255
        elif kind == 4:
            guess = left + up - corner
            nearest = min((abs(guess - value), order, value) for order, value in enumerate((left, up, corner)))
            row[i] = (row[i] + nearest[2]) & 255
    return row


def judge(path, dark, colours):
    width, height, rows = pixels(path)
    counts = {}
    for row in rows:
        for pixel in row:
            counts[pixel] = counts.get(pixel, 0) + 1
    total = sum(counts.values())
    common = max(counts, key=counts.get)
    brightness = sum(common) / 3
    assert (brightness < 80) == dark, f"{path}: its paper is {common}"
    ink = 1 - counts[common] / total
    assert 0.02 < ink < 0.95, f"{path}: {ink:.1%} of it is drawn on"
    for name, colour in colours.items():
        near = sum(count for pixel, count in counts.items() if max(abs(a - b) for a, b in zip(pixel, colour)) < 12)
        assert near > 20, f"{path}: no {name} anywhere"
    print(f"{path.rsplit('/', 1)[-1]}: {width} x {height}, {len(counts)} colours, {ink:.0%} of it drawn on")


if __name__ == "__main__":
    light, dark = sys.argv[1:]
    # The first two colours of the style sheet: lines of the charts, dots of the roofline.
    judge(light, False, {"first line": (0x1F, 0x6F, 0x8B), "second line": (0xD1, 0x60, 0x3D)})
    judge(dark, True, {"first line": (0x63, 0xB7, 0xD4), "second line": (0xF0, 0x91, 0x6F)})
