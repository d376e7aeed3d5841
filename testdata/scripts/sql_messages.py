"""Messages of MySQL and PostgreSQL, for conversations that are made up.

https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html
https://www.postgresql.org/docs/current/protocol-message-formats.html
"""
import struct

LONG_PASSWORD, CONNECT_WITH_DB, LOCAL_FILES, PROTOCOL_41 = 1 << 0, 1 << 3, 1 << 7, 1 << 9
TRANSACTIONS, SECURE_CONNECTION, MULTI_RESULTS, PLUGIN_AUTH = 1 << 13, 1 << 15, 1 << 17, 1 << 19
CAPABILITIES = (LONG_PASSWORD | CONNECT_WITH_DB | LOCAL_FILES | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION
                | MULTI_RESULTS | PLUGIN_AUTH)
QUERY, STMT_PREPARE, STMT_EXECUTE = 0x03, 0x16, 0x17
VAR_STRING = 0xFD


def packet(number, body):
    return len(body).to_bytes(3, "little") + bytes([number & 255]) + body


def packets(first, bodies):
    return b"".join(packet(first + n, body) for n, body in enumerate(bodies))


def counted(data):
    """A string behind its length."""
    data = data if isinstance(data, bytes) else data.encode()
    if len(data) < 251:
        return bytes([len(data)]) + data
    return b"\xfc" + len(data).to_bytes(2, "little") + data


def greeting():
    low, high = CAPABILITIES & 0xFFFF, CAPABILITIES >> 16
    body = b"\x0a8.0.36\0" + struct.pack("<I", 7) + b"saltsalt\0" + struct.pack("<HBHHB", low, 45, 2, high, 21)
    return packet(0, body + bytes(10) + b"saltsaltsalt\0mysql_native_password\0")


def login(user, proof, database):
    body = struct.pack("<IIB", CAPABILITIES, 1 << 24, 45) + bytes(23) + user.encode() + b"\0"
    return packet(1, body + counted(proof) + database.encode() + b"\0mysql_native_password\0")


def auth_switch(number, plugin="mysql_clear_password"):
    return packet(number, b"\xfe" + plugin.encode() + b"\0" + b"salt" * 5 + b"\0")


OK = b"\0\0\0\2\0\0\0"
EOF = b"\xfe\0\0\2\0"


def error(number, code, state, text):
    return packet(number, b"\xff" + struct.pack("<H", code) + b"#" + state.encode() + text.encode())


def column(name):
    fixed = struct.pack("<BHIBHBH", 12, 45, 1024, VAR_STRING, 0, 0, 0)
    return b"".join(map(counted, ("def", "shop", "users", "users", name, name))) + fixed


def result(names, rows):
    """What a query returns, in texts."""
    bodies = [bytes([len(names)]), *map(column, names), EOF, *(b"".join(map(counted, row)) for row in rows), EOF]
    return packets(1, bodies)


def prepared(statement, parameters, columns):
    """What STMT_PREPARE returns."""
    bodies = [struct.pack("<BIHHBH", 0, statement, columns, parameters, 0, 0)]
    for count in (parameters, columns):
        bodies += [column("?")] * count + [EOF] * bool(count)
    return packets(1, bodies)


def execute(statement, values):
    types = b"".join(struct.pack("<BB", VAR_STRING, 0) for _ in values)
    body = struct.pack("<BIBI", STMT_EXECUTE, statement, 0, 1) + bytes((len(values) + 7) // 8) + b"\1" + types
    return packet(0, body + b"".join(map(counted, values)))


def binary_result(names, rows):
    nulls = bytes((len(names) + 9) // 8)
    rows = [b"\0" + nulls + b"".join(map(counted, row)) for row in rows]
    return packets(1, [bytes([len(names)]), *map(column, names), EOF, *rows, EOF])


def query(sql):
    return packet(0, bytes([QUERY]) + sql.encode())


def prepare(sql):
    return packet(0, bytes([STMT_PREPARE]) + sql.encode())


# PostgreSQL from here on.


def message(kind, body=b""):
    return kind.encode() + struct.pack(">I", len(body) + 4) + body


def text(value):
    return value.encode() + b"\0"


def startup(user, database):
    body = struct.pack(">I", 196608) + text("user") + text(user) + text("database") + text(database) + b"\0"
    return struct.pack(">I", len(body) + 4) + body


def simple(sql):
    return message("Q", text(sql))


def parse(name, sql):
    return message("P", text(name) + text(sql) + b"\0\0")


def values(row):
    """Values behind their lengths, as rows and parameters have them."""
    return struct.pack(">H", len(row)) + b"".join(struct.pack(">I", len(v)) + v.encode() for v in row)


def bind(name, row):
    return message("B", b"\0" + text(name) + b"\0\0" + values(row) + b"\0\0")


EXECUTE = message("E", b"\0\0\0\0\0")
SYNC = message("S")
READY = message("Z", b"I")
AUTHENTICATED = message("R", b"\0\0\0\0")
CLEARTEXT = message("R", b"\0\0\0\3")
PARSED, BOUND = message("1"), message("2")
COPY_IN = message("G", b"\0\0\1\0\0")


def described(names):
    body = b"".join(text(name) + struct.pack(">IHIHIH", 0, 0, 25, 0xFFFF, 0xFFFFFFFF, 0) for name in names)
    return message("T", struct.pack(">H", len(names)) + body)


def row(cells):
    return message("D", values(cells))


def complete(tag):
    return message("C", text(tag))


def failure(state, words, detail=""):
    fields = [("S", "ERROR"), ("V", "ERROR"), ("C", state), ("M", words)] + ([("D", detail)] if detail else [])
    return message("E", b"".join(key.encode() + text(value) for key, value in fields) + b"\0")
