#!/usr/bin/env python3
"""hpack_stories.py convert FROM TO: stories of the public conformance vectors, as lines.
   hpack_stories.py make TO: small stories of our own, with the encoder of the package `hpack`.

A story is the header blocks of one direction in their order, with what they hold: a line
`block: <hex>` for each block, behind it `<hex of the name> <hex of the value>` for each field.
`cargo test -p wirespan-parsers stories` reads those of testdata/hpack, and some of those below
target/hpack, where `.ci/setup dev` puts them; with STORIES=all it reads all.
"""
import argparse
import json
import os
import random


def main():
    arguments = argparse.ArgumentParser(description="stories of header blocks, as lines")
    modes = arguments.add_subparsers(dest="mode", required=True)
    convert_mode = modes.add_parser("convert")
    convert_mode.add_argument("source")
    convert_mode.add_argument("target")
    modes.add_parser("make").add_argument("target")
    options = arguments.parse_args()
    if options.mode == "convert":
        convert(options.source, options.target)
    else:
        make(options.target)


def write(path, comment, blocks):
    lines = [f"# {comment}"]
    for wire, fields in blocks:
        lines.append(f"block: {wire}")
        lines += [f"{name.encode().hex()} {value.encode().hex()}" for name, value in fields]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")


def convert(source, target):
    count = 0
    for folder in sorted(os.listdir(source)):
        if not os.path.isdir(os.path.join(source, folder)):
            continue
        for name in sorted(os.listdir(os.path.join(source, folder))):
            if not name.endswith(".json"):
                continue
            with open(os.path.join(source, folder, name)) as file:
                story = json.load(file)
            blocks = [
                (case["wire"], [pair for field in case["headers"] for pair in field.items()])
                for case in story["cases"]
            ]
            stem = name.removesuffix(".json")
            write(os.path.join(target, f"{folder}-{stem}.txt"), f"{folder}, {stem}", blocks)
            count += 1
    print(f"{count} stories")


def make(target):
    import hpack

    rng = random.Random(7)
    services = ["orders.Orders", "stock.Stock", "users.v1.Users"]
    for story, (coded, sizes) in enumerate([(True, [4096]), (False, [4096]), (True, [4096, 0, 300, 1000])]):
        encoder, blocks = hpack.Encoder(), []
        for number in range(24):
            if number % 5 == 4 and len(sizes) > 1:
                encoder.header_table_size = rng.choice(sizes)
            fields = [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", f"/{rng.choice(services)}/{rng.choice(['Get', 'List', 'Put'])}"),
                (":authority", f"host-{rng.randrange(3)}:50051"),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
                ("grpc-timeout", f"{rng.randrange(900, 1000)}m"),
                ("traceparent", f"00-{rng.getrandbits(128):032x}-{rng.getrandbits(64):016x}-01"),
                ("x-\u00e9", "\u00e9" * rng.randrange(3)),
                ("authorization", f"Bearer {rng.getrandbits(64):x}"),
            ]
            rng.shuffle(fields)
            # The package never indexes what is marked so.
            marked = [hpack.NeverIndexedHeaderTuple(*field) if field[0] == "authorization" else field for field in fields]
            blocks.append((encoder.encode(marked, huffman=coded).hex(), fields))
        comment = f"Made by hpack_stories.py with the Python package hpack {hpack.__version__}."
        write(os.path.join(target, f"python-{story}.txt"), comment, blocks)


if __name__ == "__main__":
    main()
