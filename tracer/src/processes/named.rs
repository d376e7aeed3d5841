//! What to call a process: what it was started with in, the name of what it runs out.
//!
//! Command lines may hold secrets. Only names of programs, scripts, archives, modules and classes
//! are taken of them.

use std::path::Path;

/// What is known of a process.
#[derive(Clone, Debug, Default)]
pub(super) struct Started {
    /// `/proc/PID/comm`.
    pub(super) comm: String,
    /// What `/proc/PID/exe` points to; empty where that may not be read.
    pub(super) executable: String,
    /// `/proc/PID/cmdline`.
    pub(super) arguments: Vec<String>,
    /// What `/proc/PID/cwd` points to; empty where that may not be read.
    pub(super) directory: String,
    /// The container or unit.
    pub(super) group: Option<String>,
}

/// The name of what a process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) name: String,
    pub(super) executable: String,
    /// Only the interpreter is known, and not what it runs.
    pub(super) is_interpreter: bool,
}

impl Started {
    /// Names it.
    pub(super) fn name(&self) -> Name {
        let words: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let first = words.first().copied().unwrap_or_default();
        let path = [self.executable.trim_end_matches(" (deleted)"), first, &self.comm];
        let program = path.iter().map(|path| base(path)).find(|name| !name.is_empty());
        let program = program.unwrap_or("unnamed");
        let Some(language) = Language::of(program) else {
            let executable = program.to_owned();
            return Name { name: executable.clone(), executable, is_interpreter: false };
        };
        let rest = words.get(1..).unwrap_or_default();
        let run = title(first).or_else(|| language.runs(rest));
        let run = run.filter(|run| !run.is_empty());
        Name {
            name: run.map_or_else(|| program.to_owned(), |run| self.tell_apart(run)),
            executable: program.to_owned(),
            is_interpreter: run.is_none(),
        }
    }

    /// The name of a path, or of its folder where half of all programs are called so.
    fn tell_apart(&self, path: &str) -> String {
        let name = stem(path);
        if !COMMON.contains(&name) {
            return name.to_owned();
        }
        let path = Path::new(&self.directory).join(path);
        let folders = path.parent().into_iter().flat_map(Path::ancestors);
        let folder = folders
            .filter_map(|folder| folder.file_name()?.to_str())
            .find(|folder| !LAYOUT.contains(folder))
            .filter(|folder| !COMMON.contains(folder) && !PLACES.contains(folder));
        let unit = self.group.as_deref().and_then(|group| group.strip_suffix(".service"));
        folder.or(unit).unwrap_or(name).to_owned()
    }
}

/// How an interpreter is told what to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Java,
    Python,
    /// The first word that is no option is a script.
    Script,
    Dotnet,
    Erlang,
}

impl Language {
    fn of(program: &str) -> Option<Self> {
        let plain = program.trim_end_matches(|c: char| c.is_ascii_digit() || ".-".contains(c));
        Some(match plain {
            "java" => Self::Java,
            "python" | "pypy" | "uwsgi" => Self::Python,
            "node" | "nodejs" | "ruby" | "perl" | "php" | "bash" | "sh" | "dash" | "ash"
            | "deno" | "bun" | "lua" | "luajit" => Self::Script,
            "dotnet" => Self::Dotnet,
            "beam.smp" => Self::Erlang,
            _ => return None,
        })
    }

    /// A path or name of what is run.
    fn runs<'a>(self, words: &[&'a str]) -> Option<&'a str> {
        match self {
            Self::Java => java(words),
            Self::Python => python(words),
            Self::Script => {
                let values = ["-r", "--require", "-I", "--import", "--loader", "-d"];
                let mut words = without_options(words, &values);
                let script = words.next()?;
                if ["run", "exec"].contains(&script) { words.next() } else { Some(script) }
            }
            Self::Dotnet => {
                let mut words = without_options(words, &[]);
                words.find(|word| *word != "exec").filter(|word| word.ends_with(".dll"))
            }
            Self::Erlang => {
                let named = |word: &&str| ["-sname", "-name"].contains(word);
                let at = words.iter().position(named)?;
                words.get(at + 1)?.split('@').next()
            }
        }
    }
}

/// <https://docs.oracle.com/en/java/javase/21/docs/specs/man/java.html>
fn java<'a>(words: &[&'a str]) -> Option<&'a str> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "-jar" => return words.next().map(|path| without_version(stem(path))),
            "-m" | "--module" => return words.next()?.rsplit(['/', '.']).next(),
            "-cp"
            | "-classpath"
            | "--class-path"
            | "-p"
            | "--module-path"
            | "--add-opens"
            | "--add-modules"
            | "--add-exports"
            | "--add-reads"
            | "--upgrade-module-path" => {
                words.next();
            }
            word if word.starts_with(['-', '@']) => {}
            "org.apache.catalina.startup.Bootstrap" => return Some("tomcat"),
            class => return class.rsplit('.').next(),
        }
    }
    None
}

/// <https://docs.python.org/3/using/cmdline.html>, and the servers that run an application.
fn python<'a>(words: &[&'a str]) -> Option<&'a str> {
    let at = words.iter().position(|word| ["-m", "-c"].contains(word) || !word.starts_with('-'));
    let at = at?;
    // Options of one word with a value of their own.
    let at = match at.checked_sub(1).and_then(|before| words.get(before)) {
        Some(option) if ["-W", "-X"].contains(option) => {
            at + 1 + words.get(at + 1..)?.iter().position(|word| !word.starts_with('-'))?
        }
        _ => at,
    };
    let (run, rest) = match *words.get(at)? {
        "-c" => return None,
        "-m" => (*words.get(at + 1)?, words.get(at + 2..)?),
        script => (script, words.get(at + 1..)?),
    };
    let server = run.split('.').next().unwrap_or(run);
    if !SERVERS.contains(&stem(server)) {
        return Some(run);
    }
    let flag = |word: &&&str| ["-A", "--app", "--module", "-w", "-m"].contains(*word);
    let told = rest.iter().position(|word| flag(&word)).and_then(|at| rest.get(at + 1));
    let named = rest.iter().find(|word| !word.starts_with('-') && application(word).is_some());
    let found = named.or(told).map(|word| application(word).unwrap_or(word));
    found.filter(|word| !word.starts_with('-')).or(Some(run))
}

/// `shop.wsgi:app` is an application of `shop`.
fn application(word: &str) -> Option<&str> {
    let (module, object) = word.split_once(':')?;
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.()".contains(&byte))
    };
    (is_name(module) && is_name(object)).then(|| {
        let mut parts = module.split('.');
        parts.find(|part| !COMMON.contains(part)).unwrap_or(module)
    })
}

/// What a process has written in the place of its command line: `gunicorn: master [shop.wsgi:app]`,
/// `puma 6.4.0 (tcp://0.0.0.0:3000) [shop]`.
fn title(first: &str) -> Option<&str> {
    let (words, _) = first.split_once(' ')?;
    let bracket = first.rsplit_once('[').and_then(|(_, rest)| rest.strip_suffix(']'));
    let Some(run) = bracket.filter(|run| !run.contains(' ')) else {
        return words.strip_suffix(':');
    };
    Some(application(run).unwrap_or(run))
}

/// The words that are neither options nor values of these.
fn without_options<'a, 'w>(
    words: &'w [&'a str],
    with_value: &'w [&str],
) -> impl Iterator<Item = &'a str> + use<'a, 'w> {
    let mut before = "";
    words.iter().copied().filter(move |word| {
        let is_value = with_value.contains(&before);
        before = word;
        !is_value && !word.starts_with('-')
    })
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The name of a file without its extension.
fn stem(path: &str) -> &str {
    let name = base(path);
    let known =
        |extension: &&str| name.strip_suffix(*extension).is_some_and(|stem| !stem.is_empty());
    EXTENSIONS
        .iter()
        .find(|extension| known(extension))
        .map_or(name, |extension| name.strip_suffix(*extension).unwrap_or(name))
}

/// `orders-1.2.3-SNAPSHOT` is a version of `orders`.
fn without_version(name: &str) -> &str {
    let digit =
        |(at, _): &(usize, &str)| name.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit);
    match name.match_indices('-').find(digit) {
        Some((at, _)) if at > 0 => name.get(..at).unwrap_or(name),
        _ => name,
    }
}

/// The container that a process is in, as its first 12 digits, else its unit, by the lines of
/// `/proc/PID/cgroup` of either version, see cgroups(7).
pub(super) fn group(cgroup: &str) -> Option<String> {
    let paths = || cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    let container = paths().find_map(|path| path.rsplit('/').find_map(container));
    let unit = || paths().find_map(|path| path.rsplit('/').find(|part| is_unit(part)));
    container.or_else(unit).map(str::to_owned)
}

/// `docker-3f2a….scope`, `cri-containerd-3f2a….scope`, `3f2a…`: 64 digits. `lxc.payload.NAME`.
fn container(part: &str) -> Option<&str> {
    if let Some(name) = part.strip_prefix("lxc.payload.") {
        return Some(name);
    }
    let part = part.strip_suffix(".scope").unwrap_or(part);
    let id = part.rsplit(['-', ':']).next().unwrap_or(part);
    let is_id = id.len() == 64 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    id.get(..12).filter(|_| is_id)
}

fn is_unit(part: &str) -> bool {
    part.ends_with(".service") && !part.starts_with("user@")
}

/// Names that say nothing of what is done.
const COMMON: &[&str] = &[
    "app",
    "main",
    "server",
    "index",
    "run",
    "start",
    "manage",
    "wsgi",
    "asgi",
    "www",
    "application",
    "__main__",
    "service",
    "entrypoint",
];
/// Folders within a program's own.
const LAYOUT: &[&str] = &["src", "dist", "build", "bin", "lib", "target", "out", "current"];
/// Folders that hold programs of all kinds.
const PLACES: &[&str] =
    &["srv", "opt", "usr", "home", "root", "tmp", "var", "local", "code", "workspace", "sbin"];
/// What runs an application that is named behind it.
const SERVERS: &[&str] = &[
    "gunicorn",
    "uvicorn",
    "hypercorn",
    "daphne",
    "waitress-serve",
    "celery",
    "flask",
    "uwsgi",
    "granian",
];
const EXTENSIONS: &[&str] = &[
    ".jar", ".war", ".py", ".pyc", ".pyz", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pl", ".php",
    ".sh", ".dll", ".lua",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The executable and the words behind its name; what it is called.
    fn check(executable: &str, words: &str, expected: &str) {
        let arguments = words.split_whitespace().map(str::to_owned);
        let started = Started {
            comm: "comm".to_owned(),
            executable: executable.to_owned(),
            arguments: std::iter::once(executable.to_owned()).chain(arguments).collect(),
            directory: "/srv/orders".to_owned(),
            group: None,
        };
        assert_eq!(started.name().name, expected, "{executable} {words}");
    }

    #[test]
    fn programs_are_called_by_their_file() {
        check("/usr/sbin/nginx", "-g daemon off;", "nginx");
        check("/usr/bin/redis-server", "*:6379", "redis-server");
        check("/srv/shop (deleted)", "", "shop");
        check("", "", "comm");
    }

    #[test]
    fn archives_and_classes_name_a_java() {
        check("/usr/bin/java", "-Xmx1g -jar /app/orders-1.2.3-SNAPSHOT.jar --secret x", "orders");
        check("/usr/bin/java", "-cp a.jar:b.jar -Dx=y kafka.Kafka server.properties", "Kafka");
        check("/usr/bin/java", "-p mods -m shop/com.shop.Main", "Main");
        check("/usr/bin/java", "-cp x org.apache.catalina.startup.Bootstrap start", "tomcat");
        check("/usr/bin/java", "-version", "java");
    }

    #[test]
    fn scripts_and_modules_name_a_python() {
        check("/usr/bin/python3.11", "-u worker.py --token x", "worker");
        check("/usr/bin/python3.11", "-X dev worker.py", "worker");
        check("/usr/bin/python3", "app.py", "orders");
        check("/usr/bin/python3", "/app/app.py", "app");
        check("/usr/bin/python3", "/srv/users/src/main.py", "users");
        check("/usr/bin/python3", "-m http.server 8000", "http.server");
        check("/usr/bin/python3", "-m uvicorn --host 0.0.0.0 users.main:app", "users");
        check("/usr/bin/python3", "/usr/bin/gunicorn -w 4 -b 0.0.0.0:8000 shop.wsgi:app", "shop");
        check("/usr/bin/python3", "/usr/bin/gunicorn app:create_app()", "orders");
        check("/usr/bin/python3", "/usr/bin/celery -A billing worker", "billing");
        check("/usr/bin/python3", "manage.py runserver", "orders");
        check("/usr/bin/python3", "-c import(x)", "python3");
        check("/usr/bin/python3", "", "python3");
    }

    #[test]
    fn scripts_name_other_interpreters() {
        check("/usr/bin/node", "--max-old-space-size=512 server.js", "orders");
        check("/usr/bin/node", "-r dotenv/config /srv/cart/dist/index.js", "cart");
        check("/usr/bin/node", "worker.mjs", "worker");
        check("/usr/bin/dotnet", "/app/Basket.Api.dll", "Basket.Api");
        check("/usr/bin/bash", "/usr/local/bin/loop.sh", "loop");
        check("/usr/lib/erlang/bin/beam.smp", "-W w -sname rabbit@host", "rabbit");
    }

    #[test]
    fn titles_name_what_wrote_them() {
        let check = |title: &str, expected: &str| {
            let started = Started {
                executable: "/usr/bin/python3".to_owned(),
                arguments: vec![title.to_owned()],
                ..Started::default()
            };
            assert_eq!(started.name().name, expected, "{title}");
        };
        check("gunicorn: master [shop.wsgi:app]", "shop");
        check("gunicorn: worker [orders]", "orders");
        check("celeryd: x", "celeryd");
        check("puma 6.4.0 (tcp://0.0.0.0:3000) [shop]", "shop");
    }

    #[test]
    fn containers_and_units_are_found() {
        let check = |cgroup: &str, expected: Option<&str>| {
            assert_eq!(group(cgroup).as_deref(), expected, "{cgroup}");
        };
        let id = "3f2a91c0b1d2e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9";
        check("0::/system.slice/nginx.service", Some("nginx.service"));
        check("0::/user.slice/user-0.slice/user@0.service/app.slice/a.service", Some("a.service"));
        check("0::/user.slice/user-0.slice/session-1.scope", None);
        check(&format!("0::/system.slice/docker-{id}.scope"), Some("3f2a91c0b1d2"));
        check(&format!("12:cpu:/\n11:memory:/docker/{id}\n"), Some("3f2a91c0b1d2"));
        check(
            &format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope"),
            Some("3f2a91c0b1d2"),
        );
        check("1:name=systemd:/lxc.payload.web1/init", Some("web1"));
        check("0::/", None);
        check("broken", None);
    }
}
