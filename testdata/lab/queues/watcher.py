"""A watcher: reads the stream as one of a group, and hears what is published."""
import sys
import threading

from resp import Redis, got

protocol = int(sys.argv[1])
who = f"watcher{protocol}"


def hear():
    redis = Redis(protocol)
    redis.send(("SUBSCRIBE", "sold"), ("PSUBSCRIBE", "news.*"))
    while True:
        kind, *words = redis.read()
        if kind == "psubscribe":
            print("ready", flush=True)
        elif kind in ("message", "pmessage"):
            *_, channel, text = words
            got(who, kind.upper(), channel, text)


def read():
    redis = Redis(protocol)
    redis("XGROUP", "CREATE", "audit", who, "$", "MKSTREAM")
    while True:
        command = ("XREADGROUP", "GROUP", who, "one", "COUNT", 10, "BLOCK", 0, "STREAMS", "audit", ">")
        streams = redis(*command)
        streams = streams.items() if protocol == 3 else streams
        for stream, entries in streams:
            for id, fields in entries:
                got(who, "XREADGROUP", stream, " ".join(fields) + " " + id)
                redis("XACK", "audit", who, id)


threading.Thread(target=read, daemon=True).start()
hear()
