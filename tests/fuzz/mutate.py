"""From a whole file to a broken or hostile one. Everything follows from the random generator that is given."""

from __future__ import annotations

import copy
import json
import re
import struct
import zlib
from random import Random
from typing import Any
from xml.etree import ElementTree

from tests.fuzz.seed import Seed

_PATHS = [
    "../secret.png",
    "../../etc/passwd",
    "/etc/passwd",
    "..\\secret.png",
    "C:\\secret.png",
    "//x/y",
    "a.png\0",
    ".",
]
_PATHS += ["site/../../secret.png", "~/x", "file:///etc/passwd", "a.png/", "A.PNG", "site/b.jpg", "a.png", "x" * 5000]
_TEXTS = [
    "",
    " ",
    "NaN",
    "inf",
    "-1",
    "0",
    "1e999",
    "0x10",
    "é",
    "\ud800",
    "\u202e",
    "<",
    "&x;",
    "null",
    "[]",
    '"',
    "'",
]
_TEXTS += ["%s%n", "\n", "\t", "9" * 400, "1_0", "true", "２", "1,5", "-", ";", "a;b", "1,2;3", "#"]
_NUMBERS = [
    0,
    -0.0,
    -1,
    1,
    2,
    0.5,
    1e-320,
    1e308,
    -1e308,
    float("nan"),
    float("inf"),
    -float("inf"),
    59.999,
    61,
    40,
    60,
]
_NUMBERS += [2**31, -(2**31) - 1, 2**63, 2**64, 10**400, 255, 256, 65536]
_YAML = [
    "&a",
    "*a",
    "!!int ''",
    "!!python/object/apply:os.system ['x']",
    "!!binary x",
    "2001-99-99",
    "{",
    "[",
    "- ",
    "? ",
]
_YAML += [
    "<<: *a",
    "|",
    ">",
    "%YAML 9",
    "---",
    "...",
    "~",
    "@",
    "`",
    ": ",
    "\t",
    "!!set {a}",
    "=",
    "0o9",
    "1:60:60",
    "~x/y",
]
_XML = ["<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>", "<!DOCTYPE a>", "&x;", "&#0;", "<![CDATA[", "<?xml?>"]
_XML += ["<a>", "</a>", "<!--", "-->", '<?xml version="1.0" encoding="utf-16"?>', "\ufeff", "<a" + " a='1'" * 9 + "/>"]


def mutate(seed: Seed, random: Random, others: list[Seed]) -> bytes:
    """A mutation of `seed`; now and then spliced with another file."""
    way = random.random()
    if seed.kind == "json" and way < 0.7:
        return _json(seed.content, random)
    if seed.kind == "xml" and way < 0.7:
        return _xml(seed.content, random)
    if seed.kind == "png" and way < 0.6:
        return _png(seed.content, random)
    if seed.kind == "tiff" and way < 0.7:
        return _tiff(seed.content, random)
    if seed.kind == "text" and way < 0.7:
        return _tokens(seed.content, random)
    if way > 0.97:
        other = random.choice(others).content
        cut = random.randrange(len(other) + 1)
        return seed.content[: random.randrange(len(seed.content) + 1)] + other[cut:]
    return _bytes(seed.content, random)


def _bytes(content: bytes, random: Random) -> bytes:
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        place = random.randrange(len(data) + 1)
        length = random.choice((1, 2, 4, 16, 200))
        match random.randrange(6):
            case 0:
                data[place : place + 1] = bytes([random.randrange(256)])
            case 1:
                del data[place : place + length]
            case 2:
                data[place:place] = data[place : place + length] * random.choice((1, 2, 50))
            case 3:
                data[place:place] = _text(random).encode("utf-8", "surrogatepass")
            case 4:
                data[place : place + 4] = random.choice(
                    (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\1")
                )
            case 5:
                del data[place:]
    return bytes(data)


def _text(random: Random) -> str:
    return random.choice(random.choice((_PATHS, _TEXTS, _YAML, _XML)))


def _tokens(content: bytes, random: Random) -> bytes:
    """Words, numbers and marks of a text, replaced, dropped, doubled or exchanged."""
    tokens = re.findall(r"[\w.+-]+|\s+|.", content.decode(), re.DOTALL)
    for _ in range(random.choice((1, 1, 2, 5))):
        place = random.randrange(len(tokens))
        match random.randrange(5):
            case 0:
                tokens[place] = _text(random)
            case 1:
                tokens[place] = str(random.choice(_NUMBERS))
            case 2:
                tokens[place] = ""
            case 3:
                tokens[place] *= random.choice((2, 3, 500))
            case 4:
                other = random.randrange(len(tokens))
                tokens[place], tokens[other] = tokens[other], tokens[place]
    return "".join(tokens).encode("utf-8", "surrogatepass")


def _value(random: Random, depth: int = 0) -> Any:
    """A JSON value from nothing."""
    match random.randrange(8 if depth < 3 else 5):
        case 0 | 1:
            return random.choice(_NUMBERS)
        case 2:
            return random.choice(_PATHS)
        case 3:
            return random.choice(_TEXTS)
        case 4:
            return random.choice((None, True, False, [], {}))
        case 5:
            return [_value(random, depth + 1) for _ in range(random.randrange(5))]
        case 6:
            return {_text(random): _value(random, depth + 1) for _ in range(random.randrange(4))}
        case _:
            nested: Any = random.choice(_NUMBERS)
            for _ in range(random.choice((2, 10, 60))):
                nested = [nested] if random.random() < 0.5 else {"a": nested}
            return nested


def _nodes(value: Any, depth: int = 0) -> list[tuple[Any, Any]]:
    """Every place in a JSON value, down to some depth: the container and its key."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    below = [place for key in keys for place in _nodes(value[key], depth + 1)] if depth < 20 else []
    return [(value, key) for key in keys] + below


def _json(content: bytes, random: Random) -> bytes:
    root = [json.loads(content)]
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        places = _nodes(root)
        container, key = random.choice(places)
        match random.randrange(7):
            case 0 | 1 | 2:
                container[key] = _value(random)
            case 3:
                if container is not root:
                    del container[key]
            case 4:
                other, place = random.choice(places)
                container[key] = copy.deepcopy(other[place])
            case 5:
                if isinstance(container, list):
                    container[key:key] = [copy.deepcopy(container[key])] * random.choice((1, 2, 100))
                else:
                    container[_text(random)] = container[key]
            case 6:
                names = [name for _, name in places if isinstance(name, str)]
                if isinstance(container, dict):
                    container[random.choice(names)] = _value(random) if random.random() < 0.5 else container[key]
    written = json.dumps(root[0] if root else None)
    if random.random() < 0.02:  # deeper than any parser may follow
        written = random.choice(("[", '{"a":')) * 100_000 + written
    return written.encode()


def _xml(content: bytes, random: Random) -> bytes:
    root = ElementTree.fromstring(content)
    for _ in range(random.choice((1, 1, 2, 5))):
        elements = list(root.iter())
        element, other = random.choice(elements), random.choice(elements)
        text = str(random.choice(_NUMBERS)) if random.random() < 0.5 else _text(random)
        match random.randrange(7):
            case 0:
                element.text = text
            case 1 | 2:
                name = random.choice([*element.attrib, *other.attrib, "points", "width"])
                element.set(name, text)
            case 3:
                if element.attrib:
                    del element.attrib[random.choice(list(element.attrib))]
            case 4:
                element.tag = random.choice([other.tag, "x"])
            case 5:
                element.append(copy.deepcopy(other))
            case 6:
                if len(element):
                    element.remove(random.choice(list(element)))
    written = ElementTree.tostring(root, encoding="unicode")
    if random.random() < 0.15:
        written = random.choice(_XML) + written
    return written.encode("utf-8", "surrogatepass")


def _png(content: bytes, random: Random) -> bytes:
    """Chunks changed with their checksums, so that the change is not found by them."""
    chunks = []
    place = 8
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += 12 + length
    for _ in range(random.choice((1, 1, 2, 3))):
        number = random.randrange(len(chunks))
        kind, body = chunks[number]
        match random.randrange(5):
            case 0 | 1:
                chunks[number] = (kind, _bytes(body, random) if body else b"\0")
            case 2:
                chunks.insert(random.randrange(len(chunks) + 1), (kind, body))
            case 3:
                del chunks[number]
                chunks = chunks or [(b"IEND", b"")]
            case 4:
                name = random.choice(
                    (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tRNS", b"PLTE", b"iCCP", b"gAMA", b"acTL", b"fcTL")
                )
                extra = random.choice((b"", b"x\0\0" + zlib.compress(b"y" * 5000), random.randbytes(30)))
                chunks.insert(1, (name, extra))
    written = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        written += len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
    return written


# Tags of TIFF that decide how a page is read.
_TAGS = [
    254,
    256,
    257,
    258,
    259,
    262,
    266,
    270,
    273,
    274,
    277,
    278,
    279,
    284,
    317,
    320,
    322,
    323,
    324,
    325,
    330,
    338,
    339,
]
_TAGS += [347, 530, 32997, 33629, 34412, 42113, 65420]


def _tiff(content: bytes, random: Random) -> bytes:
    """Entries of a directory changed: another tag, type, count or value."""
    data = bytearray(content)
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    (place,) = struct.unpack_from(f"{order}Q" if big else f"{order}I", data, 8 if big else 4)
    (entries,) = struct.unpack_from(f"{order}Q" if big else f"{order}H", data, place)
    place += 8 if big else 2
    size, value = (20, 12) if big else (12, 8)
    for _ in range(random.choice((1, 1, 2, 4))):
        entry = place + size * random.randrange(entries)
        match random.randrange(6):
            case 0:
                struct.pack_into(f"{order}H", data, entry, random.choice(_TAGS))
            case 1:
                struct.pack_into(f"{order}H", data, entry + 2, random.randrange(20))
            case 2:
                struct.pack_into(f"{order}I", data, entry + 4, random.choice((0, 1, 2, 3, 5, 1000, 2**31, 2**32 - 1)))
            case 3 | 4:
                number = random.choice(
                    (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 15, 16, 17, 24, 32, 64, 65535, 32773, 34925, 50000)
                )
                struct.pack_into(f"{order}H", data, entry + value, number)
            case 5:
                struct.pack_into(f"{order}I", data, entry + value, random.choice((0, 8, len(data), 2**31, 2**32 - 1)))
    return bytes(data) if random.random() < 0.8 else _bytes(bytes(data), random)
