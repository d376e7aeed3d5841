"""What a scenario needs: Debian packages, and libraries below target/lab/, which stay there."""
import os
import shutil
import subprocess
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
CACHE = os.path.join(ROOT, "target", "lab")


def say(text):
    print(f"lab: {text}", flush=True)


def fail(*lines):
    for line in lines:
        print(f"lab: {line}", file=sys.stderr, flush=True)
    sys.exit(1)


def packages(*names):
    """Debian packages; what they would start by themselves is not started."""
    if subprocess.run([os.path.join(ROOT, ".ci", "setup"), "packages", *names]).returncode:
        fail("not all packages could be installed: " + " ".join(names))


def folder(name, stamp, make, what):
    """The folder target/lab/NAME, made by `make(folder)` unless that was done for this stamp before."""
    path = os.path.join(CACHE, name)
    stamp_file = os.path.join(path, ".made-for")
    try:
        with open(stamp_file) as file:
            if file.read() == stamp:
                return path
    except FileNotFoundError:
        pass
    say(f"installs {what} below target/lab/{name}")
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    make(path)
    with open(stamp_file, "w") as file:
        file.write(stamp)
    return path


def run(*command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode:
        sys.stderr.write(done.stdout[-4000:])
        fail(f"this failed, its last words stand above: {' '.join(command)}")
    return done.stdout


def read(path):
    with open(path) as file:
        return file.read()


def python(name, requirements):
    """The folder of a virtual environment that has what a requirements.txt names."""
    def make(path):
        run(sys.executable, "-m", "venv", path)
        run(f"{path}/bin/pip", "-q", "--disable-pip-version-check", "install", "-r", requirements)
    return folder(name, sys.version + read(requirements), make, "Python libraries")


def node(name, package):
    """A folder with `node_modules` of a package.json; scripts of packages are not run."""
    def make(path):
        shutil.copy(package, os.path.join(path, "package.json"))
        run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error", cwd=path)
    return folder(name, read(package), make, "Node libraries")


def maven(name, project):
    """A folder with the jar that the Maven project in the folder `project` makes, and its libraries in `lib`."""
    sources = sorted(os.path.join(at, file) for at, _, files in os.walk(project) for file in files)
    stamp = "".join(f"{source}\n{read(source)}" for source in sources)

    def make(path):
        build = os.path.join(path, "build")
        shutil.copytree(project, build)
        run("mvn", "-q", "-B", "package", "dependency:copy-dependencies", "-DskipTests", "-DincludeScope=runtime",
            f"-DoutputDirectory={path}/lib", cwd=build)
        for jar in os.listdir(os.path.join(build, "target")):
            if jar.endswith(".jar"):
                shutil.copy(os.path.join(build, "target", jar), path)
        shutil.rmtree(build)
    return folder(name, stamp, make, "Java libraries, and builds with them,")


def go(name, project):
    """A folder with the program that the Go module in the folder `project` makes, called as the folder."""
    stamp = "".join(f"{source}\n{read(source)}" for source in sorted(
        os.path.join(project, file) for file in os.listdir(project) if os.path.isfile(os.path.join(project, file))))

    def make(path):
        run("go", "build", "-trimpath", "-o", os.path.join(path, os.path.basename(name)), ".", cwd=project)
    return folder(name, stamp, make, "Go libraries, and builds with them,")
