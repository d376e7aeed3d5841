"""The smallest client of Redis: one connection, one command at a time or several at once."""
import os
import socket


class Redis:
    def __init__(self, protocol=2):
        self.socket = socket.create_connection(("10.94.0.6", 6379))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        if protocol == 3:
            self("HELLO", 3)

    def send(self, *commands):
        words = []
        for command in commands:
            words.append(b"*%d\r\n" % len(command))
            for word in command:
                word = word if isinstance(word, bytes) else str(word).encode()
                words.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self.socket.sendall(b"".join(words))

    def __call__(self, *command):
        self.send(command)
        return self.read()

    def read(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind in b"+-":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"_" or rest == b"-1":
            return None
        if kind == b"$":
            value = self.file.read(int(rest) + 2)[:-2]
            return value.decode()
        count = int(rest) * (2 if kind == b"%" else 1)
        values = [self.read() for _ in range(count)]
        return dict(zip(values[::2], values[1::2])) if kind == b"%" else values


def got(who, command, queue, message):
    """Writes down that a message was got: consumer, command, queue, the message's beginning."""
    with open(os.environ["TRUTH"], "a") as truth:
        truth.write(f"{who}\t{command}\t{queue}\t{message[:60]}\n")
