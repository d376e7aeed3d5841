"""Conversations in which secrets stand in every place where secrets stand, and marks where none do."""
import base64
import itertools
import json
import random
import struct
import zlib

import sql_messages as sql
from conversation import Capture, Conversation, bulk, command, request, response

# What each canary begins and ends with, so that what is left of one is found too.
FRONT, BACK = "qxcanary", "yranacxq"
# Canaries that must be numbers.
NUMBERS = "7310"


class Garden:
    """Gives canaries and marks, and keeps account of them."""

    def __init__(self):
        self.random = random.Random(16)
        self.canaries, self.numbers, self.marks = {}, {}, {}

    def secret(self, place):
        """A new secret; `place` says where it stands."""
        value = f"{FRONT}{len(self.canaries):05d}{self.random.getrandbits(40):010x}{BACK}"
        self.canaries[value] = place
        return value

    def number(self, place):
        value = f"{NUMBERS}{self.random.randrange(10**10, 10**11)}"
        self.numbers[value] = place
        return value

    def visible(self, place):
        """A mark that must be shown; of letters alone, as a name has them."""
        count, letters = len(self.marks), ""
        for _ in range(3):
            count, letter = divmod(count, 26)
            letters += chr(ord("a") + letter)
        self.marks[f"visible{letters}"] = place
        return f"visible{letters}"


HEADERS = [
    "Authorization", "Proxy-Authorization", "X-Api-Key", "Api-Key", "X-Auth-Token", "X-CSRF-Token", "X-Amz-Security-Token",
    "X-Session-Id", "X-Amz-Signature", "Ocp-Apim-Subscription-Key", "X-Vault-Token", "X-Goog-Api-Key", "Private-Token",
    "X-Secret", "X-Access-Key", "x-hub-signature-256", "X-Client-Credential", "X-Jwt-Assertion", "DPoP", "X-AUTH", "X_API_KEY",
    # --redact names this one.
    "X-Pin",
]
PARAMETERS = [
    "password", "passwd", "pwd", "token", "access_token", "id_token", "refresh_token", "api_key", "apikey", "key", "sig",
    "signature", "X-Amz-Signature", "client_secret", "session", "jsessionid", "auth", "credential", "pass%77ord", "Password", "x-pin",
]
FIELDS = ["password", "token", "secret", "apiKey", "client_secret", "refresh_token", "sessionId", "private_key", "passphrase", "x_pin"]
# With what --redact is run.
REDACTED = "x-pin"
# What stands in pieces in its stream.
CUT = {"JSON in chunks", "literal of MySQL, hex"}
SEGMENTS = (1448, 1448, 1448, 97, 11)


def http(capture, garden, rounds):
    """Secrets in headers, addresses, and bodies, of requests and responses."""
    for number in range(rounds):
        talk = Conversation(capture, 80, SEGMENTS[number % len(SEGMENTS)])
        for exchange in (in_headers, in_cookies, in_query, in_addresses, in_body, in_odd_heads, in_chunks, in_connect, in_grpc_web):
            asked, answered = exchange(garden, number)
            talk.client(asked)
            talk.server(answered)
        talk.close()
        capture.wait(0.01)
    # Heads and bodies of which a part is lost.
    for number in range(rounds):
        half_lost(capture, 80, garden, "header", lambda garden, secret: request(
            "GET", "/" + garden.visible("a path"), [("X-Auth-Token", secret)]), response(200))
        half_lost(capture, 80, garden, "JSON", lambda garden, secret: request(
            "POST", "/" + garden.visible("a path"), [("Content-Type", "application/json")],
            f'{{"n": 1, "password": "{secret}", "token": "{garden.secret("JSON behind a gap")}"}}'.encode()), response(200))
        half_lost(capture, 80, garden, "parameter", lambda garden, secret: request(
            "GET", f"/half?token={secret}"), response(200))


def half_lost(capture, port, garden, place, make, reply):
    """A message is sent whose secret is half lost; then another one, so that all goes on."""
    talk = Conversation(capture, port)
    secret = garden.secret(f"{place}, half lost")
    whole = make(garden, secret)
    half = whole.index(secret.encode()) + 12
    talk.client(whole[:half])
    talk.lose(0, 6)
    talk.client(whole[half + 6:])
    talk.server(reply)
    talk.close()
    capture.wait(0.01)


def in_headers(garden, number):
    headers = []
    for name in HEADERS:
        value = garden.secret(f"request header {name}")
        if name == "Authorization" and number % 2:
            value = "Basic " + base64.b64encode(f"user:{value}".encode()).decode()
        elif name.endswith("orization"):
            value = f"Bearer {value}"
        headers.append((name, value))
    headers.insert(number % len(headers), ("User-Agent", garden.visible("User-Agent")))
    back = [("X-Auth-Token", garden.secret("response header X-Auth-Token")), ("X-Note", garden.visible("response header X-Note"))]
    return request("GET", "/" + garden.visible("a path"), headers), response(200, back)


def in_cookies(garden, number):
    names = ["sid", "theme", "_ga", "remember"]
    cookies = "; ".join(f"{name}={garden.secret('Cookie')}" for name in names)
    back = [("Set-Cookie", f"{name}={garden.secret('Set-Cookie')}; Path=/; HttpOnly") for name in names]
    return request("GET", "/" + garden.visible("a path"), [("Cookie", cookies)]), response(200, back)


def in_query(garden, number):
    pairs = [f"{name}={garden.secret(f'parameter {name}')}" for name in PARAMETERS]
    pairs.insert(number % len(pairs), f"page={garden.visible('parameter page')}")
    return request("GET", "/search?" + "&".join(pairs)), response(404)


def in_addresses(garden, number):
    """Users and parameters in addresses: of the target, of Referer, of Location."""
    def full(place):
        return (f"https://user:{garden.secret(f'user of {place}')}@other.example/{garden.visible(place)}"
                f"?a=1&token={garden.secret(f'parameter of {place}')}")
    path = f"/cart;jsessionid={garden.secret('parameter of a path')}/{garden.visible('a path')}"
    headers = [("Referer", full("Referer")), ("Link", f"<{full('Link')}>; rel=next")]
    target = path if number % 2 else f"http://user:{garden.secret('user of the target')}@canary.example{path}"
    return request("GET", target, headers), response(302, [("Location", full("Location"))])


def in_body(garden, number):
    kinds = [json_body, xml_body, form_body, parts_body, nested_body]
    kind, body = kinds[number % len(kinds)](garden)
    _, back = kinds[(number // 2) % len(kinds)](garden)
    method = ("POST", "PUT", "PATCH")[number % 3]
    asked = request(method, "/" + garden.visible("a path"), [("Content-Type", kind)], body.encode())
    return asked, response(200, [("Content-Type", kinds_of[kinds[(number // 2) % len(kinds)]])], back.encode())


def in_connect(garden, number):
    """A call of Connect that fails."""
    headers = [("Content-Type", "application/json"), ("Connect-Protocol-Version", "1")]
    asked = request("POST", f"/lab.Shop/{garden.visible('a method of Connect')}", headers, json_body(garden)[1].encode())
    return asked, response(404, [("Content-Type", "application/json")], connect_error(garden, "Connect"))


def in_grpc_web(garden, number):
    """A call of gRPC-Web that fails, with trailers in its body."""
    kind = ("Content-Type", "application/grpc-web+proto")
    message = garden.secret("message of gRPC-Web").encode()
    asked = request("POST", f"/lab.Shop/{garden.visible('a method of gRPC-Web')}", [kind], b"\0" + frame(message))
    details = status_details(garden.secret("details of gRPC-Web"))
    trailers = f"grpc-status: 7\r\ngrpc-message: {error_words(garden, 'gRPC-Web')}\r\ngrpc-status-details-bin: {details}\r\n"
    return asked, response(200, [kind], b"\x80" + frame(trailers.encode()))


def json_body(garden):
    fields = ", ".join(f'"{name}": "{garden.secret(f"JSON {name}")}"' for name in FIELDS)
    return "application/json", f'{{"name": "anna", {fields}, "pin": {{"secret": [1, "{garden.secret("JSON list")}"]}}}}'


def nested_body(garden):
    inner = garden.secret("JSON object of a secret name")
    return "application/json", f'[{{"a": [{{"credentials": {{"user": "u", "p": "{inner}"}}}}]}}, {{"token":"{garden.secret("JSON")}"}}]'


def xml_body(garden):
    elements = "".join(f"<{name}>{garden.secret(f'XML {name}')}</{name}>" for name in FIELDS)
    return "text/xml", f'<a><user password="{garden.secret("XML attribute")}">anna</user>{elements}</a>'


def form_body(garden):
    return "application/x-www-form-urlencoded", "&".join(f"{name}={garden.secret(f'form {name}')}" for name in FIELDS) + "&page=2"


def parts_body(garden):
    parts = "".join(f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{garden.secret(f"part {name}")}\r\n' for name in FIELDS)
    return "multipart/form-data; boundary=cut", parts + "--cut--\r\n"


kinds_of = {json_body: "application/json", xml_body: "text/xml", form_body: "application/x-www-form-urlencoded",
            parts_body: "multipart/form-data; boundary=cut", nested_body: "application/json"}


def in_odd_heads(garden, number):
    """What RFC 9112 forbids or advises against, and is sent all the same."""
    lines = [
        b"GET /%b HTTP/1.1" % garden.visible("a path").encode(),
        b"Host: canary.example",
        b"Authorization: Bearer\r\n %b" % garden.secret("folded header").encode(),
        b"aUTHORIZATION:%b" % garden.secret("header without a space").encode(),
        b"X-Api-Key:\t %b \t" % garden.secret("header between spaces").encode(),
        b"Authorization: a, %b, b" % garden.secret("list in a header").encode(),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n", response(500)


def in_chunks(garden, number):
    """A body in chunks that cut its secret, and a secret behind it."""
    body = f'{{"password": "{garden.secret("JSON in chunks")}", "n": 1}}'.encode()
    pieces = [body[start:start + 9] for start in range(0, len(body), 9)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    head = b"POST /%b HTTP/1.1\r\nHost: canary.example\r\nContent-Type: application/json\r\n" % garden.visible("a path").encode()
    trailer = f"X-Auth-Token: {garden.secret('trailer')}\r\n".encode()
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailer + b"\r\n", response(200)


def redis(capture, garden, rounds):
    for number in range(rounds):
        talk = Conversation(capture, 6379, SEGMENTS[number % len(SEGMENTS)])
        for words, reply in redis_commands(garden, number):
            talk.client(words if isinstance(words, bytes) else command(*words))
            talk.server(reply)
        talk.close()
        capture.wait(0.01)
        for words in (["AUTH"], ["AUTH", "anna"], ["SET", f"{garden.visible('a key')}:token"], ["HSET", "h", "n", "1", "password"]):
            half_lost(capture, 6379, garden, f"{words[0]} of Redis", lambda _, secret: command(*words, secret), b"+OK\r\n")


def redis_commands(garden, number):
    ok, secret = b"+OK\r\n", garden.secret
    yield ("AUTH", secret("AUTH")), ok
    yield ("AUTH", "anna", secret("AUTH with user")), ok
    yield ("HELLO", "3", "AUTH", "anna", secret("HELLO")), ok
    yield ("CONFIG", "SET", "requirepass", secret("CONFIG SET requirepass")), ok
    yield ("CONFIG", "SET", "masterauth", secret("CONFIG SET masterauth"), "maxclients", "100"), ok
    yield ("ACL", "SETUSER", "anna", "on", f">{secret('ACL SETUSER')}", "~*"), ok
    yield ("MIGRATE", "h", "6379", "k", "0", "100", "AUTH2", "anna", secret("MIGRATE")), ok
    yield f"AUTH {secret('inline AUTH')}\r\n".encode(), b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
    yield ("SET", f"{garden.visible('a key')}:session:token", secret("value of a key that is called token")), ok
    yield ("SETEX", "user:7:password", "60", secret("SETEX")), ok
    yield ("HSET", garden.visible("a key"), "password", secret("HSET"), "name", "anna", "apikey", secret("HSET")), b":2\r\n"
    yield ("MSET", "a:token", secret("MSET"), "b:secret", secret("MSET")), ok
    yield ("SET", garden.visible("a key"), f'{{"password": "{secret("JSON that is stored")}", "n": 1}}'), ok
    yield ("XADD", garden.visible("a key"), "*", "token", secret("XADD")), bulk("1-1")
    yield ("CONFIG", "GET", "requirepass"), b"*2\r\n" + bulk("requirepass") + bulk(secret("reply of CONFIG GET"))
    yield ("GET", garden.visible("a key")), bulk(secret("reply of GET"))
    yield ("HGETALL", garden.visible("a key")), b"*2\r\n" + bulk("name") + bulk(secret("reply of HGETALL"))


def thrift(capture, garden, rounds):
    """Texts of arguments and results, headers, and what errors say."""
    for number in range(rounds):
        for framed in (True, False):
            talk = Conversation(capture, 9090, SEGMENTS[number % len(SEGMENTS)])
            for asked, answered in thrift_calls(garden):
                talk.client(frame(asked) if framed else asked)
                talk.server(frame(answered) if framed else answered)
            talk.close()
        talk = Conversation(capture, 9090, SEGMENTS[number % len(SEGMENTS)])
        for asked, answered in thrift_headers(garden):
            talk.client(frame(asked))
            talk.server(frame(answered))
        talk.close()
        capture.wait(0.01)
        half_lost(capture, 9090, garden, "text of Thrift in a frame", lambda garden, secret: frame(thrift_message(
            1, garden.visible("a method"), thrift_text(1, secret) + thrift_text(2, garden.secret("text of Thrift behind a gap")) + b"\0")),
            frame(thrift_message(2, "x", b"\0")))
        half_lost(capture, 9090, garden, "text of Thrift", lambda garden, secret: thrift_message(
            1, garden.visible("a method"), thrift_text(1, secret) + b"\0"), thrift_message(2, "x", b"\0"))


def error_words(garden, place):
    """What an error says: of a secret by its name, and of one in an address."""
    return (f"denied: password={garden.secret(f'error of {place}')} "
            f"at http://admin:{garden.secret(f'address in an error of {place}')}@db.example/")


def frame(message):
    return struct.pack(">I", len(message)) + message


def thrift_message(kind, name, fields):
    return struct.pack(">HHI", 0x8001, kind, len(name)) + name.encode() + b"\0\0\0\1" + fields


def thrift_text(field, text):
    return struct.pack(">BHI", 11, field, len(text)) + text.encode()


def thrift_calls(garden):
    secret, failure = garden.secret, b"\x08\0\2\0\0\0\6\0"
    for kind in (2, 3):
        name = garden.visible("a method")
        items = b"\x0f\0\2\x0b\0\0\0\1" + thrift_text(0, secret("list of Thrift"))[3:]
        yield (thrift_message(1, name, thrift_text(1, secret("text of Thrift")) + items + b"\0"),
               thrift_message(3, name, thrift_text(1, error_words(garden, "Thrift")) + failure) if kind == 3
               else thrift_message(2, name, thrift_text(0, secret("result of Thrift")) + b"\0"))
    # An exception that the interface declares; behind the first line of what it says comes more.
    name = garden.visible("a method")
    lines = f"denied\nwith {secret('second line of an error of Thrift')}"
    fields = thrift_text(1, lines) + thrift_text(2, secret("second text of an exception of Thrift")) + b"\0"
    yield thrift_message(1, name, b"\0"), thrift_message(2, name, b"\x0c\0\1" + fields + b"\0")
    # Compact, and JSON.
    name, value = garden.visible("a method"), secret("text of Thrift, compact")
    head = b"\x82\x21\1" + bytes([len(name)]) + name.encode()
    yield head + b"\x18" + bytes([len(value)]) + value.encode() + b"\0", b"\x82\x41" + head[2:] + b"\0"
    name = garden.visible("a method")
    texts = (name, secret("text of Thrift, JSON"), secret("key of a map of Thrift, JSON"))
    yield ('[1,"%s",1,1,{"1":{"str":"%s"},"2":{"map":["str","i32",1,{"%s":1}]}}]' % texts).encode(), f'[1,"{name}",2,1,{{}}]'.encode()


def thrift_headers(garden):
    name = garden.visible("a method")
    for transform in (None, 1, 3):
        pairs = [("Authorization", garden.secret("header of Thrift")), ("trace", garden.visible("a header of Thrift"))]
        infos = b"".join(bytes([len(text)]) + text.encode() for pair in pairs for text in pair)
        transforms = b"\0" if transform is None else bytes([1, transform])
        fields = b"\0" + transforms + b"\1" + bytes([len(pairs)]) + infos
        fields += bytes(-len(fields) % 4)
        body = thrift_message(1, name, thrift_text(1, garden.secret("text behind a header of Thrift") if transform is None else "x") + b"\0")
        body = {None: body, 1: zlib.compress(body), 3: body}[transform]
        yield (b"\x0f\xff\0\0\0\0\0\1" + struct.pack(">H", len(fields) // 4) + fields + body,
               b"\x0f\xff\0\0\0\0\0\1\0\1\0\0\0\0" + thrift_message(2, name, b"\0"))


def bolt(capture, garden, rounds):
    """Contents, and values of headers."""
    for number in range(rounds):
        talk = Conversation(capture, 12200, SEGMENTS[number % len(SEGMENTS)])
        for asked, answered in bolt_calls(garden):
            talk.client(asked)
            talk.server(answered)
        talk.close()
        capture.wait(0.01)
        half_lost(capture, 12200, garden, "content of Bolt", lambda garden, secret: bolt_command(
            True, [("sofa_head_method_name", garden.visible("a method"))],
            f"{secret} and {garden.secret('content of Bolt behind a gap')}".encode()), bolt_command(False, [], b"N"))
        half_lost(capture, 12200, garden, "header of Bolt", lambda garden, secret: bolt_command(
            True, [("sofa_head_method_name", garden.visible("a method")), ("token", secret)], b"N"), bolt_command(False, [], b"N"))


def bolt_command(is_request, pairs, content):
    name = b"com.alipay.sofa.rpc.core.request.SofaRequest" if is_request else b"com.alipay.sofa.rpc.core.response.SofaResponse"
    header = b"".join(frame(text.encode()) for pair in pairs for text in pair)
    head = b"\1\1\0\1\1\0\0\0\1\1\0\0\3\xe8" if is_request else b"\1\0\0\2\1\0\0\0\1\1\0\0"
    return head + struct.pack(">HHI", len(name), len(header), len(content)) + name + header + content


def bolt_calls(garden):
    secret = garden.secret
    name = b"com.alipay.sofa.rpc.core.response.SofaResponse"
    fields = b"".join(bytes([len(field)]) + field for field in (b"isError", b"errorMsg", b"appResponse", b"responseProps"))
    answer = b"O" + bytes([0x90 + len(name)]) + name + b"\x94" + fields + b"o\x90"
    error = f"RPC-020100010: {error_words(garden, 'SOFA RPC')}\nat {secret('second line of an error of SOFA RPC')}".encode()
    for content in (b"FN" + b"S\0\x1f" + secret("result of SOFA RPC").encode() + b"N", b"TS" + struct.pack(">H", len(error)) + error + b"NN"):
        pairs = [("sofa_head_target_service", "lab.Shop:1.0"), ("sofa_head_method_name", garden.visible("a method")),
                 ("X-Auth-Token", secret("header of SOFA RPC"))]
        yield bolt_command(True, pairs, secret("argument of SOFA RPC").encode()), bolt_command(False, [], answer + content)


def dubbo(capture, garden, rounds):
    """Arguments, results, exceptions, attachments, and what errors say, in each serialisation that is read."""
    kinds = [HessianForm, FastjsonForm, LinesForm, KryoForm, JavaForm, MarkedForm, CompactedForm]
    for number in range(rounds):
        for kind in kinds:
            talk = Conversation(capture, 20880, SEGMENTS[number % len(SEGMENTS)])
            for asked, answered in dubbo_calls(kind(), garden, kind.name):
                talk.client(asked)
                talk.server(answered)
            talk.close()
        capture.wait(0.01)
        form, answer = HessianForm(), dubbo_message(HessianForm, 20, HessianForm().number(2))
        half_lost(capture, 20880, garden, "argument of Dubbo", lambda garden, secret: dubbo_message(form, 0, dubbo_names(
            form, garden, 1) + form.value(secret) + form.pairs([("token", garden.secret("attachment behind a gap"))])), answer)
        for name in ("token", "note"):
            half_lost(capture, 20880, garden, f"attachment {name}", lambda garden, secret: dubbo_message(form, 0, dubbo_names(
                form, garden, 0) + form.pairs([(name, secret), ("k", garden.secret("attachment behind a gap"))])), answer)


def dubbo_message(form, status, body):
    flags = form.number_of_form | (0 if status else 0xC0)
    return struct.pack(">HBBQI", 0xDABB, flags, status, 1, len(body)) + body


def dubbo_names(form, garden, arguments):
    names = ("2.0.2", "lab.Shop", "0.0.0", garden.visible(f"a method of Dubbo, {form.name}"), "Ljava/lang/String;" * arguments)
    return form.start + b"".join(map(form.text, names))


def dubbo_calls(form, garden, place):
    secret = garden.secret
    pairs = [("trace", garden.visible(f"attachment, {place}")), ("X-Auth-Token", secret(f"attachment, {place}")),
             ("origin", f"http://admin:{secret(f'address in an attachment, {place}')}@shop.example/")]
    asked = dubbo_message(form, 0, dubbo_names(form, garden, 1) + form.value(secret(f"argument, {place}")) + form.pairs(
        pairs, form.others(garden)))
    result = form.start + form.number(4) + form.value(secret(f"result, {place}")) + form.pairs(
        [("apikey", secret(f"attachment of a result, {place}"))], form.others(garden))
    yield asked, dubbo_message(form, 20, result)
    asked = dubbo_message(form, 0, dubbo_names(form, garden, 1) + form.value(secret(f"argument, {place}")) + form.pairs([]))
    if hasattr(form, "thrown"):
        thrown = form.thrown(error_words(garden, f"Dubbo, {place}"), secret(f"field of an exception, {place}"))
        yield asked, dubbo_message(form, 20, form.start + form.number(0) + thrown)
    lines = f"{error_words(garden, f'Dubbo, {place}')}\nat {secret(f'second line of an error of Dubbo, {place}')}"
    yield asked, dubbo_message(form, 60, form.start + form.text(lines))


class HessianForm:
    """hessian2."""
    name, number_of_form, start = "hessian2", 2, b""

    def text(self, text):
        return b"S" + struct.pack(">H", len(text)) + text.encode()

    value = text

    def number(self, number):
        return bytes([0x90 + number])

    def pairs(self, pairs, others=()):
        texts = b"".join(self.text(name) + self.text(value) for name, value in pairs)
        return b"H" + texts + b"".join(self.text(f"other{place}") + value for place, value in enumerate(others)) + b"Z"

    def others(self, garden):
        secret = garden.secret
        yield b"H" + self.text("password") + self.text(secret("map in an attachment")) + b"Z"
        yield b"\x79" + self.text(secret("list in an attachment"))
        data = secret("bytes in an attachment").encode()
        yield b"B" + struct.pack(">H", len(data)) + data
        yield self.text(secret("long attachment") + "x" * 9000)

    def thrown(self, words, other):
        fields = b"".join(map(self.text, ("card", "detailMessage")))
        return b"C" + self.text("lab.Sold") + b"\x92" + fields + b"\x60" + self.text(other) + self.text(words)


class FastjsonForm:
    """fastjson2: each value behind its length."""
    name, number_of_form, start = "fastjson2", 23, b""

    def item(self, text):
        length = len(text)
        head = bytes([0x49 + length]) if length < 40 else bytes([0x79, 0x38 + (length >> 8), length & 255])
        return head + text.encode()

    def text(self, text):
        return frame(self.item(text))

    value = text

    def number(self, number):
        return frame(bytes([number]))

    def pairs(self, pairs, others=()):
        texts = b"".join(self.item(name) + self.item(value) for name, value in pairs)
        return frame(b"\xa6" + texts + b"".join(self.item(f"other{place}") + value for place, value in enumerate(others)) + b"\xa5")

    def others(self, garden):
        secret = garden.secret
        yield b"\xa6" + self.item("password") + self.item(secret("map in an attachment, fastjson2")) + b"\xa5"
        yield b"\x95" + self.item(secret("list in an attachment, fastjson2"))
        data = secret("bytes in an attachment, fastjson2").encode()
        yield b"\x91\x38" + bytes([len(data)]) + data

    def thrown(self, words, other):
        pairs = (("card", other), ("detailMessage", words))
        return frame(b"\x92" + self.item("lab.Sold") + b"\0\xa6" + b"".join(self.item(text) for pair in pairs for text in pair) + b"\xa5")


class LinesForm:
    """JSON, a line for each value."""
    name, number_of_form, start = "fastjson", 6, b""

    def text(self, text):
        return json.dumps(text).encode() + b"\n"

    value = text

    def number(self, number):
        return b"%d\n" % number

    def pairs(self, pairs, others=()):
        return self.text(dict(pairs) | {f"other{place}": value for place, value in enumerate(others)})

    def others(self, garden):
        yield {"a": {"password": garden.secret("map in an attachment, JSON")}}
        yield [1, garden.secret("list in an attachment, JSON")]

    def thrown(self, words, other):
        return self.text({"@type": "lab.Sold", "message": words, "card": other})


class KryoForm:
    """Kryo, whose texts are in UTF-8 here: in ASCII, the last letter is another one."""
    name, number_of_form, start = "kryo", 8, b""

    def text(self, text):
        count = len(text) + 1
        return (bytes([0xC0 | count & 63, count >> 6]) if count > 63 else bytes([0x80 | count])) + text.encode()

    def value(self, text):
        return b"\3\1" + self.text(text)

    def number(self, number):
        return bytes([number])

    def pairs(self, pairs, others=()):
        return b"\x0c\1" + bytes([len(pairs)]) + b"".join(self.value(text) for pair in pairs for text in pair)

    def others(self, garden):
        return ()


class JavaForm:
    """Java's own streams; here, what stands outside of objects is in one block each."""
    name, number_of_form, start = "nativejava", 7, b"\xac\xed\0\5"
    mark, hash_map = b"", b"\0\0\0\0\0\0\0\0\3\0\2F\0\5factrI\0\5limit"

    def utf(self, text):
        return struct.pack(">H", len(text)) + text.encode()

    def block(self, data):
        return (b"w" + bytes([len(data)]) if len(data) < 256 else b"z" + struct.pack(">I", len(data))) + data

    def text(self, text):
        return self.block(self.utf(text))

    def value(self, text):
        return self.mark + b"t" + self.utf(text)

    def number(self, number):
        return self.block(bytes([number]))

    def named(self, name):
        return b"r" + self.utf(name)

    def pairs(self, pairs, others=()):
        others = list(others)
        items = b"".join(b"t" + self.utf(text) for pair in pairs for text in pair)
        items += b"".join(b"t" + self.utf(f"other{place}") + value for place, value in enumerate(others))
        head = b"s" + self.named("java.util.HashMap") + self.hash_map + b"xp" + bytes(8)
        return self.mark + head + self.block(struct.pack(">II", 16, len(pairs) + len(others))) + items + b"x"

    def others(self, garden):
        secret = garden.secret(f"map in an attachment, {self.name}")
        head = b"s" + self.named("java.util.HashMap") + self.hash_map + b"xp" + bytes(8)
        yield head + self.block(struct.pack(">II", 16, 1)) + b"t" + self.utf("password") + b"t" + self.utf(secret) + b"x"
        text = garden.secret(f"long attachment, {self.name}").encode()
        yield b"|" + struct.pack(">Q", len(text)) + text


class MarkedForm(JavaForm):
    name, number_of_form, mark = "java", 3, b"w\1\1"

    def text(self, text):
        return self.block(struct.pack(">I", len(text)) + self.utf(text))


class CompactedForm(MarkedForm):
    name, number_of_form, hash_map = "compactedjava", 4, b""

    def named(self, name):
        return b"r\1" + self.utf(name)


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def http2(capture, garden, rounds):
    """Headers in plain literals, a body of JSON, messages and errors of gRPC."""
    for number in range(rounds):
        talk = Conversation(capture, 8080, SEGMENTS[number % len(SEGMENTS)])
        talk.client(PREFACE + h2_frame(4, 0, 0))
        talk.server(h2_frame(4, 0, 0))
        for stream, (asked, answered) in enumerate(http2_calls(garden)):
            talk.client(b"".join(h2_frame(kind, flags, 2 * stream + 1, data) for kind, flags, data in asked))
            talk.server(b"".join(h2_frame(kind, flags, 2 * stream + 1, data) for kind, flags, data in answered))
        talk.close()
        capture.wait(0.01)


def h2_frame(kind, flags, stream, data=b""):
    return struct.pack(">IBI", len(data) << 8 | kind, flags, stream) + data


def h2_literals(*pairs):
    """Names and values, some of which are to be remembered, and some never."""
    def plain(text):
        assert len(text) < 127 + 128
        return (bytes([len(text)]) if len(text) < 127 else bytes([127, len(text) - 127])) + text.encode()
    return b"".join(b"\x00\x40\x10"[place % 3:place % 3 + 1] + plain(name) + plain(value) for place, (name, value) in enumerate(pairs))


def http2_calls(garden):
    secret, visible = garden.secret, garden.visible
    heads = [(name.lower(), secret(f"header {name} of HTTP/2")) for name in HEADERS if "_" not in name]
    path = f"/{visible('a path of HTTP/2')}?token={secret('parameter of HTTP/2')}&page={visible('parameter page of HTTP/2')}"
    names = [(":method", "POST"), (":path", path), (":scheme", "http"), (":authority", "canary.example")]
    body = f'{{"n": 1, "password": "{secret("JSON of HTTP/2")}", "token": "{secret("JSON of HTTP/2")}"}}'.encode()
    asked = h2_literals(*names, *heads, ("content-type", "application/json"), ("cookie", f"id={secret('Cookie of HTTP/2')}"))
    answered = h2_literals((":status", "200"), ("content-type", "application/json"), ("set-cookie", f"id={secret('Set-Cookie of HTTP/2')}"))
    yield [(1, 4, asked), (0, 1, body)], [(1, 4, answered), (0, 1, json_body(garden)[1].encode())]
    names[1] = (":path", f"/lab.Shop/{visible('a method of gRPC')}")
    asked = h2_literals(*names, ("content-type", "application/grpc"), ("te", "trailers"), ("authorization", secret("metadata of gRPC")))
    # A field of a text.
    message, answer = (b"\n" + bytes([len(text)]) + text.encode() for text in (secret("message of gRPC"), secret("answer of gRPC")))
    message, answer = (b"\0" + frame(data) for data in (message, answer))
    trailers = h2_literals(("grpc-status", "7"), ("grpc-message", error_words(garden, "gRPC")), ("x-api-key", secret("trailer of gRPC")),
                           ("grpc-status-details-bin", status_details(secret("details of gRPC"))))
    head = h2_literals((":status", "200"), ("content-type", "application/grpc"))
    yield [(1, 4, asked), (0, 1, message)], [(1, 4, head), (0, 0, answer), (1, 5, trailers)]
    names[1] = (":path", f"/lab.Shop/{visible('a method of Connect')}")
    asked = h2_literals(*names, ("content-type", "application/json"), ("connect-protocol-version", "1"))
    head = h2_literals((":status", "404"), ("content-type", "application/json"))
    yield [(1, 4, asked), (0, 1, json_body(garden)[1].encode())], [(1, 4, head), (0, 1, connect_error(garden, "Connect in HTTP/2"))]


def connect_error(garden, place):
    value = status_details(garden.secret(f"details of {place}"))
    return f'{{"code": "not_found", "message": "no", "details": [{{"type": "lab.Why", "value": "{value}"}}]}}'.encode()


def status_details(text):
    """A google.rpc.Status with a code and this text, in base64."""
    return base64.b64encode(b"\x08\x07\x12" + bytes([len(text)]) + text.encode()).decode().rstrip("=")


def websocket(capture, garden, rounds):
    """Messages of JSON, and bytes."""
    for number in range(rounds):
        talk = Conversation(capture, 80, SEGMENTS[number % len(SEGMENTS)])
        upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
                   ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Authorization", garden.secret("header of an upgrade"))]
        target = f"/{garden.visible('a path of WebSocket')}?token={garden.secret('parameter of an upgrade')}"
        talk.client(request("GET", target, upgrade))
        talk.server(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
        for body in (json_body, nested_body):
            talk.client(ws_frame(1, body(garden)[1].encode(), masked=True))
            talk.server(ws_frame(1, body(garden)[1].encode()))
        talk.client(ws_frame(2, garden.secret("bytes of WebSocket").encode() + b"\0\xff", masked=True))
        talk.server(ws_frame(2, garden.secret("bytes of WebSocket").encode() + b"\0\xff"))
        talk.close()
        capture.wait(0.01)


def ws_frame(kind, data, masked=False):
    """A message; what masks it is zeros, so that it can be found."""
    length = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data))
    return bytes([0x80 | kind, length[0] | 0x80 * masked]) + length[1:] + bytes(4 * masked) + data


# {s} is a secret, {n} a number that is one, {v} a table's name. Each statement is followed by what a
# database returns: rows, or only how many.
STATEMENTS = [
    "SELECT name, card FROM {v} WHERE password = '{s}' AND pin = {n}",
    "INSERT INTO {v} (name, secret, card) VALUES ('{s}', '{s}', {n}), ('{s}', NULL, -{n})",
    "UPDATE {v} SET token = '{s}', note = 'it''s {s}' WHERE id IN ({n}, {n})",
    "DELETE FROM {v} WHERE card = {n} OR name LIKE '%{s}%' /* by hand */",
    "SELECT * FROM {v} WHERE note = '/* {s}' AND other = '-- {s}' LIMIT 5",
    "SELECT name FROM {v} /*route='r',password='{s}',token='{s}'*/ -- api_key: {s}",
    "SELECT 'a' 'b{s}', card FROM {v} WHERE at > '2026-01-01 {s}'",
]
MYSQL_ONLY = [
    'SELECT "{s}", name FROM {v} WHERE a = "it\\"s {s}" OR b = \'\\\'{s}\'',
    "SELECT _utf8mb4'{s}', N'{s}', X'{h}', 0x{h} FROM {v}",
    "CREATE USER 'anna'@'%' IDENTIFIED BY '{s}'",
    "SET PASSWORD FOR 'anna' = '{s}'",
]
POSTGRESQL_ONLY = [
    "SELECT $${s}$$, $tag$it's {s}$tag$, card FROM {v}",
    "SELECT E'\\'{s}', U&'{s}', B'0101', '{s}'::text FROM {v}",
    "ALTER USER anna PASSWORD '{s}'",
    "NOTIFY channel, '{s}'",
]


def filled(garden, statement, place):
    """A statement with secrets in it."""
    pieces = []
    for index, part in enumerate(itertools.chain.from_iterable(p.split("}", 1) for p in statement.split("{"))):
        # Behind the first piece, names in braces and what follows them take turns.
        if index % 2 == 0:
            pieces.append(part)
        elif part == "s":
            pieces.append(garden.secret(place))
        elif part == "n":
            pieces.append(garden.number(place))
        elif part == "h":
            pieces.append(garden.secret(f"{place}, hex").encode().hex())
        else:
            pieces.append(garden.visible(f"table of {place}"))
    return "".join(pieces)


def mysql(capture, garden, rounds):
    for number in range(rounds):
        talk = Conversation(capture, 3306, SEGMENTS[number % len(SEGMENTS)])
        talk.server(sql.greeting())
        talk.client(sql.login("anna", garden.secret("MySQL login"), garden.visible("database of MySQL")))
        talk.server(sql.auth_switch(2))
        talk.client(sql.packet(3, garden.secret("MySQL clear password").encode() + b"\0"))
        talk.server(sql.packet(4, sql.OK))
        for statement in STATEMENTS + MYSQL_ONLY:
            talk.client(sql.query(filled(garden, statement, "literal of MySQL")))
            if statement.startswith("SELECT"):
                rows = [[garden.secret("row of MySQL"), garden.number("row of MySQL")] for _ in range(3)]
                talk.server(sql.result(["name", "card"], rows))
            else:
                talk.server(sql.packet(1, sql.OK))
        table = garden.visible("table of a prepared statement")
        talk.client(sql.prepare(f"SELECT name FROM {table} WHERE token = ? AND kind = '{garden.secret('PREPARE of MySQL')}'"))
        talk.server(sql.prepared(1, 1, 1))
        for _ in range(3):
            talk.client(sql.execute(1, [garden.secret("parameter of MySQL")]))
            talk.server(sql.binary_result(["name"], [[garden.secret("binary row of MySQL")] for _ in range(2)]))
        talk.client(sql.query(f"INSERT INTO {garden.visible('table of MySQL')} VALUES ('{garden.secret('literal of MySQL')}')"))
        talk.server(sql.error(1, 1062, "23000", f"Duplicate entry '{garden.secret('error of MySQL')}' for key 'PRIMARY'"))
        talk.client(sql.query(f"LOAD DATA LOCAL INFILE 'names.csv' INTO TABLE {garden.visible('table of MySQL')}"))
        talk.server(sql.packet(1, b"\xfbnames.csv"))
        talk.client(sql.packet(2, garden.secret("file for MySQL").encode() + b"\n") + sql.packet(3, b""))
        talk.server(sql.packet(4, sql.OK))
        talk.close()
        capture.wait(0.01)


def postgresql(capture, garden, rounds):
    for number in range(rounds):
        talk = Conversation(capture, 5432, SEGMENTS[number % len(SEGMENTS)])
        talk.client(sql.startup("anna", garden.visible("database of PostgreSQL")))
        talk.server(sql.CLEARTEXT)
        talk.client(sql.message("p", sql.text(garden.secret("PostgreSQL password"))))
        talk.server(sql.AUTHENTICATED + sql.READY)
        for statement in STATEMENTS + POSTGRESQL_ONLY:
            talk.client(sql.simple(filled(garden, statement, "literal of PostgreSQL")))
            verb = statement.split()[0]
            answer = sql.complete("INSERT 0 2" if verb == "INSERT" else f"{verb} 3")
            if verb == "SELECT":
                rows = [[garden.secret("row of PostgreSQL"), garden.number("row of PostgreSQL")] for _ in range(3)]
                answer = sql.described(["name", "card"]) + b"".join(map(sql.row, rows)) + answer
            talk.server(answer + sql.READY)
        table = garden.visible("table of an extended query")
        ask = f"SELECT name FROM {table} WHERE token = $1 AND kind = '{garden.secret('Parse of PostgreSQL')}'"
        for again in range(3):
            begin = sql.parse("find", ask) if not again else b""
            talk.client(begin + sql.bind("find", [garden.secret("Bind of PostgreSQL")]) + sql.EXECUTE + sql.SYNC)
            answer = sql.row([garden.secret("row of an extended query")]) + sql.complete("SELECT 1") + sql.READY
            talk.server((sql.PARSED if not again else b"") + sql.BOUND + answer)
        talk.client(sql.simple(f"INSERT INTO {garden.visible('table of PostgreSQL')} VALUES ('{garden.secret('literal of PostgreSQL')}')"))
        talk.server(sql.failure("23505", f'invalid input syntax for type integer: "{garden.secret("error of PostgreSQL")}"',
                                f"Key (email)=({garden.secret('detail of an error')}) already exists.") + sql.READY)
        talk.client(sql.simple(f"COPY {garden.visible('table of COPY')} (name, card) FROM STDIN"))
        talk.server(sql.COPY_IN)
        rows = "".join(f"{garden.secret('COPY')}\t{garden.number('COPY')}\n" for _ in range(4))
        talk.client(sql.message("d", rows.encode()) + sql.message("c"))
        talk.server(sql.complete("COPY 4") + sql.READY)
        talk.close()
        capture.wait(0.01)


def plant(kinds, rounds=12):
    """A capture of conversations of these kinds, and the garden that was planted."""
    capture, garden = Capture(), Garden()
    for kind in kinds:
        kind(capture, garden, rounds)
    return capture, garden
