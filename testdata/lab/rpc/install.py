#!/usr/bin/env python3
"""install.py KIND: installs what a kind of rpc.sh needs, below target/lab/rpc/; prints the folders of it."""
import os
import shutil
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.dont_write_bytecode = True

from harness import install  # noqa: E402


def at(*names):
    return os.path.join(HERE, *names)


def need(command, *packages):
    """Of a toolchain, the one that is there is taken, whoever it is from."""
    if not shutil.which(command):
        install.packages(*packages)


def grpc_go():
    need("go", "golang-go")
    return [install.go("rpc/grpc-go", at("grpc", "go"))]


def grpc_python():
    return [install.python("rpc/grpc-python", at("grpc", "python", "requirements.txt"))]


def nghttp2():
    install.packages("nghttp2-server", "nghttp2-client", "nghttp2-proxy", "curl")
    return []


def nginx():
    install.packages("nginx-light", "curl")
    return []


def java():
    need("java", "default-jre-headless")
    need("mvn", "maven", "default-jdk-headless")


def dubbo():
    java()
    return [install.maven("rpc/dubbo", at("dubbo"))]


def sofa():
    java()
    return [install.maven("rpc/sofa", at("sofa"))]


def thrift_go():
    need("go", "golang-go")
    return [install.go("rpc/thrift-go", at("thrift", "go"))]


def thrift_python():
    return [install.python("rpc/thrift-python", at("thrift", "python", "requirements.txt"))]


def websocket():
    """Modules are looked for beside the programs, so these are copied to their libraries."""
    need("node", "nodejs")
    need("npm", "npm")
    path = install.node("rpc/websocket", at("websocket", "package.json"))
    for name in ("server.js", "client.js"):
        shutil.copy(at("websocket", name), path)
    return [path]


def connect():
    need("node", "nodejs")
    need("npm", "npm")
    path = install.node("rpc/connect", at("connect", "package.json"))
    for name in ("shop.js", "server.js", "client.js"):
        shutil.copy(at("connect", name), path)
    return [path]


def connect_go():
    need("go", "golang-go")
    return [install.go("rpc/connect-go", at("connect", "go"))]


KINDS = {
    "grpc-go": grpc_go, "grpc-python": grpc_python, "nghttp2": nghttp2, "nginx": nginx, "websocket": websocket, "connect": connect, "connect-go": connect_go,
    "dubbo": dubbo, "sofa": sofa, "thrift-go": thrift_go, "thrift-python": thrift_python,
}

# What is said goes to stderr: only the folders are to be read.
told = os.dup(1)
os.dup2(2, 1)
paths = KINDS[sys.argv[1]]()
os.write(told, "".join(f"{path}\n" for path in paths).encode())
