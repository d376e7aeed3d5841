"""Hessian 2, as Dubbo writes it: bytes in, Python's values out (http://hessian.caucho.com/doc/hessian-serialization.html).

Objects are dictionaries of their fields; a date is the number of its milliseconds.
"""
import re
import struct


class Reader:
    """Reads values one after the other."""

    def __init__(self, content):
        self.content, self.at = content, 0
        self.classes, self.known = [], []

    def values(self, count):
        return [self.value() for _ in range(count)]

    def take(self, count):
        if self.at + count > len(self.content):
            raise ValueError("a value is cut off")
        self.at += count
        return self.content[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def value(self):
        code = self.take(1)[0]
        if code < 0x20 or 0x30 <= code < 0x34 or code in b"RS":
            return self.text(code)
        if code < 0x30 or 0x34 <= code < 0x38 or code in b"AB":
            return self.bytes(code)
        if code >= 0x80:
            return self.small(code)
        if 0x38 <= code < 0x40:
            return (code - 0x3c << 16) + self.number(">H")
        if 0x60 <= code < 0x70:
            return self.object(code - 0x60)
        if 0x70 <= code < 0x78:
            return self.typed(lambda: self.list(code - 0x70))
        if 0x78 <= code < 0x80:
            return self.list(code - 0x78)
        if code not in SIMPLE:
            raise ValueError(f"no value of Hessian begins with {code:#04x}")
        return SIMPLE[code](self)

    def small(self, code):
        """Numbers that are short."""
        if code < 0xc0:
            return code - 0x90
        if code < 0xd0:
            return (code - 0xc8 << 8) + self.take(1)[0]
        if code < 0xd8:
            return (code - 0xd4 << 16) + self.number(">H")
        if code < 0xf0:
            return code - 0xe0
        return (code - 0xf8 << 8) + self.take(1)[0]

    def text(self, code):
        """A text, which may be in several parts; its length counts characters of UTF-16."""
        parts = []
        while True:
            if code < 0x20:
                length = code
            elif code < 0x34:
                length = (code - 0x30 << 8) + self.take(1)[0]
            else:
                length = self.number(">H")
            begin = self.at
            for _ in range(length):
                first = self.take(1)[0]
                self.take(0 if first < 0x80 else 1 if first < 0xe0 else 2)
            parts.append(self.content[begin:self.at])
            if code != ord("R"):
                break
            code = self.take(1)[0]
        # Halves of a character may be written as two.
        text = b"".join(parts).decode("utf-8", "surrogatepass")
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def bytes(self, code):
        parts = []
        while True:
            if code < 0x30:
                length = code - 0x20
            elif code < 0x38:
                length = (code - 0x34 << 8) + self.take(1)[0]
            else:
                length = self.number(">H")
            parts.append(self.take(length))
            if code != ord("A"):
                return b"".join(parts)
            code = self.take(1)[0]

    def typed(self, read):
        """What `read` gives, behind a type: its name, or the number of one that came before."""
        self.value()
        return read()

    def list(self, count):
        found = []
        self.known.append(found)
        while not self.ends() if count is None else len(found) < count:
            found.append(self.value())
        return found

    def map(self):
        found = {}
        self.known.append(found)
        while not self.ends():
            key = self.value()
            found[key if isinstance(key, (str, int)) else str(key)] = self.value()
        return found

    def ends(self):
        ends = self.content[self.at:self.at + 1] == b"Z"
        self.at += ends
        return ends

    def class_and_value(self):
        self.value()  # Its name.
        self.classes.append(self.values(self.value()))
        return self.value()

    def object(self, number):
        found = {}
        self.known.append(found)
        for name in self.classes[number]:
            found[name] = self.value()
        return found


SIMPLE = {
    ord("N"): lambda reader: None,
    ord("T"): lambda reader: True,
    ord("F"): lambda reader: False,
    ord("I"): lambda reader: reader.number(">i"),
    ord("L"): lambda reader: reader.number(">q"),
    ord("Y"): lambda reader: reader.number(">i"),
    ord("D"): lambda reader: reader.number(">d"),
    0x5b: lambda reader: 0.0,
    0x5c: lambda reader: 1.0,
    0x5d: lambda reader: float(reader.number(">b")),
    0x5e: lambda reader: float(reader.number(">h")),
    0x5f: lambda reader: reader.number(">i") / 1000,
    0x4a: lambda reader: reader.number(">q"),
    0x4b: lambda reader: 60_000 * reader.number(">i"),
    ord("U"): lambda reader: reader.typed(lambda: reader.list(None)),
    ord("V"): lambda reader: reader.typed(lambda: reader.list(reader.value())),
    ord("W"): lambda reader: reader.list(None),
    ord("X"): lambda reader: reader.list(reader.value()),
    ord("M"): lambda reader: reader.typed(reader.map),
    ord("H"): lambda reader: reader.map(),
    ord("C"): Reader.class_and_value,
    ord("O"): lambda reader: reader.object(reader.value()),
    ord("Q"): lambda reader: reader.known[reader.value()],
}


def words(value, within=()):
    """What a value has of texts and numbers, one after the other, as text."""
    if isinstance(value, (dict, list)):
        # An exception is its own cause.
        if any(value is other for other in within):
            return
        parts = value if isinstance(value, list) else [part for pair in value.items() for part in pair]
        for part in parts:
            yield from words(part, (*within, value))
    elif value is not None and not isinstance(value, (bool, bytes)):
        yield str(value)


# A type of a parameter in Java's short form: that of an array, a class, a number.
TYPE = re.compile(r"\[*(?:L[^;]+;|[ZBCSIJFD])")


def how_many(types):
    """How many parameters have these types."""
    return len(TYPE.findall(types))
