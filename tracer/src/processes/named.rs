//! What to call a process: what it was started with in, the name of what it runs out.
//!
//! Command lines may hold secrets, and code. Only names of programs, scripts, archives, modules and
//! classes are taken of them, and only where a word can be nothing else.

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
        // A title that the process has written in its place is no path.
        let called = if first.contains(char::is_whitespace) { "" } else { first };
        let path = [self.executable.trim_end_matches(" (deleted)"), called, &self.comm];
        let program = path.iter().map(|path| base(path)).find(|name| !name.is_empty());
        let program = program.unwrap_or("unnamed");
        let Some(language) = Language::of(program) else {
            let name = self.other_name(program).unwrap_or(program).to_owned();
            return Name { name, executable: program.to_owned(), is_interpreter: false };
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

    /// By what name a program of several names was started: redis-server is one of redis-check-rdb.
    /// The kernel and the process itself must agree on it.
    fn other_name(&self, program: &str) -> Option<&str> {
        let first = self.arguments.first()?.split_whitespace().next()?;
        let name = base(first);
        let is_other = !self.comm.is_empty() && !program.starts_with(&self.comm);
        (is_other && name.starts_with(&self.comm)).then_some(name)
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
#[derive(Clone, Copy, Debug)]
enum Language {
    Java,
    Python,
    /// A server that is the interpreter itself.
    Uwsgi,
    Script(&'static Options),
    Dotnet,
    Erlang,
}

impl Language {
    fn of(program: &str) -> Option<Self> {
        let plain = program.trim_end_matches(|c: char| c.is_ascii_digit() || ".-".contains(c));
        Some(match plain {
            "java" => Self::Java,
            "python" | "pypy" => Self::Python,
            "uwsgi" => Self::Uwsgi,
            "node" | "nodejs" => Self::Script(&NODE),
            "deno" => Self::Script(&DENO),
            "bun" => Self::Script(&BUN),
            "ruby" => Self::Script(&RUBY),
            "perl" => Self::Script(&PERL),
            "php" => Self::Script(&PHP),
            "bash" | "sh" | "dash" | "ash" => Self::Script(&SHELL),
            "lua" | "luajit" => Self::Script(&LUA),
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
            Self::Uwsgi => served("uwsgi", words),
            Self::Script(options) => options.script(words).map(|(script, _)| script),
            Self::Dotnet => {
                let mut words = words.iter().filter(|word| !word.starts_with('-'));
                let run = words.find(|word| **word != "exec")?;
                (is_path(run) && run.ends_with(".dll")).then_some(run)
            }
            Self::Erlang => {
                let named = |word: &&str| ["-sname", "-name"].contains(word);
                let at = words.iter().position(named)?;
                let node = words.get(at + 1)?.split('@').next()?;
                (is_path(node) && !node.starts_with('-')).then_some(node)
            }
        }
    }
}

/// What the options of an interpreter mean that come before its script. What may be the value of an
/// option, or code, is never taken for the script.
#[derive(Debug)]
struct Options {
    /// Letters of those with code as their value, or in place of a script.
    code: &'static str,
    /// Letters of those with a value in the same word, else in the next one.
    value: &'static str,
    /// Letters of those whose value is the rest of the word.
    attached: &'static str,
    /// Letters of those without a value.
    plain: &'static str,
    /// The letter of the one that names a module.
    module: Option<char>,
    code_words: &'static [&'static str],
    value_words: &'static [&'static str],
    plain_words: &'static [&'static str],
    /// Words that may stand before the script and are no options.
    commands: &'static [&'static str],
    /// Options may begin with a plus too.
    plus: bool,
}

/// What a word before the script is.
enum Meaning<'a> {
    /// It holds code, or the next word does, or code comes from elsewhere.
    Code,
    /// An option that is complete.
    Plain,
    /// An option whose value is the next word.
    Value,
    /// Any other option: the next word may be its value.
    Unknown,
    /// The option that names a module, with what comes behind it in the word.
    Module(&'a str),
    /// No option.
    Word,
}

impl Options {
    const NONE: Self = Self {
        code: "",
        value: "",
        attached: "",
        plain: "",
        module: None,
        code_words: &[],
        value_words: &[],
        plain_words: &[],
        commands: &[],
        plus: false,
    };

    /// The script or module that is run, and the words behind it.
    fn script<'a, 'w>(&self, words: &'w [&'a str]) -> Option<(&'a str, &'w [&'a str])> {
        let mut rest = words;
        let mut doubtful = false;
        while let Some((word, behind)) = rest.split_first() {
            rest = behind;
            match self.meaning(word) {
                Meaning::Code => return None,
                Meaning::Plain => doubtful = false,
                Meaning::Value => {
                    rest = rest.get(1..)?;
                    doubtful = false;
                }
                Meaning::Unknown => doubtful = true,
                Meaning::Module("") => {
                    let (module, behind) = rest.split_first()?;
                    return is_module(module).then_some((module, behind));
                }
                Meaning::Module(module) => return is_module(module).then_some((module, rest)),
                Meaning::Word if is_script(word) => return Some((word, rest)),
                Meaning::Word if doubtful => {
                    // This is the value of the option, and the next word is the script; or this is
                    // the script, and what comes are its arguments.
                    let (next, behind) = rest.split_first()?;
                    let is_word = matches!(self.meaning(next), Meaning::Word);
                    return (is_word && is_script(next)).then_some((next, behind));
                }
                Meaning::Word if self.commands.contains(word) => {}
                Meaning::Word => {
                    return (word.contains('/') && is_path(word)).then_some((word, rest));
                }
            }
        }
        None
    }

    fn meaning<'a>(&self, word: &'a str) -> Meaning<'a> {
        let name = word.split_once('=').map_or(word, |(name, _)| name);
        if word == "-" || self.code_words.contains(&name) {
            return Meaning::Code;
        }
        if word.starts_with("--") {
            let is_complete = name.len() < word.len() || word == "--";
            return if is_complete || self.plain_words.contains(&word) {
                Meaning::Plain
            } else if self.value_words.contains(&word) {
                Meaning::Value
            } else {
                Meaning::Unknown
            };
        }
        let plus = word.strip_prefix('+').filter(|_| self.plus);
        let Some(letters) = word.strip_prefix('-').or(plus) else { return Meaning::Word };
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            let rest = letters.as_str();
            match letter {
                _ if self.code.contains(letter) => return Meaning::Code,
                _ if self.module == Some(letter) => return Meaning::Module(rest),
                _ if self.value.contains(letter) && rest.is_empty() => return Meaning::Value,
                _ if self.value.contains(letter) => return Meaning::Plain,
                _ if self.attached.contains(letter) => return Meaning::Plain,
                _ if self.plain.contains(letter) || letter.is_ascii_digit() => {}
                _ => return Meaning::Unknown,
            }
        }
        Meaning::Plain
    }
}

/// <https://docs.python.org/3/using/cmdline.html>
const PYTHON: Options = Options {
    code: "c",
    value: "WX",
    plain: "bBdEhiIJOPqRsStuvVx?",
    module: Some('m'),
    value_words: &["--check-hash-based-pycs", "--jit"],
    ..Options::NONE
};
/// <https://nodejs.org/api/cli.html>
const NODE: Options = Options {
    code: "ep",
    value: "rC",
    plain: "chiv",
    code_words: &["--eval", "--print"],
    value_words: &[
        "--require",
        "--import",
        "--loader",
        "--experimental-loader",
        "--conditions",
        "--title",
        "--env-file",
    ],
    plain_words: &[
        "--inspect",
        "--inspect-brk",
        "--enable-source-maps",
        "--expose-gc",
        "--no-deprecation",
        "--no-warnings",
        "--preserve-symlinks",
        "--trace-uncaught",
        "--trace-warnings",
        "--watch",
    ],
    ..Options::NONE
};
/// <https://docs.deno.com/runtime/reference/cli/run/>
const DENO: Options = Options {
    value: "c",
    plain: "Aq",
    value_words: &["--config", "--import-map"],
    plain_words: &["--allow-all", "--allow-env", "--allow-net", "--allow-read", "--allow-write"],
    commands: &["run", "serve"],
    ..Options::NONE
};
/// <https://bun.com/docs/runtime>
const BUN: Options = Options {
    code: "ep",
    value: "rc",
    plain: "b",
    code_words: &["--eval", "--print"],
    value_words: &["--preload", "--require", "--import", "--config", "--env-file", "--cwd"],
    plain_words: &["--bun", "--hot", "--inspect", "--smol", "--watch"],
    commands: &["run", "exec"],
    ..Options::NONE
};
/// ruby(1).
const RUBY: Options = Options {
    code: "e",
    value: "CEIr",
    attached: "FKTWix",
    plain: "acdhlnpsSuUvwy",
    value_words: &["--enable", "--disable", "--encoding"],
    plain_words: &["--jit", "--yjit", "--verbose"],
    ..Options::NONE
};
/// perlrun(1).
const PERL: Options = Options {
    code: "eE",
    value: "I",
    attached: "DFMVdimx",
    plain: "acCfhlnpsStTuUvwWX",
    ..Options::NONE
};
/// <https://www.php.net/manual/en/features.commandline.options.php>; what stands behind `--` are
/// arguments of a script from elsewhere.
const PHP: Options = Options {
    code: "rBRE",
    value: "cdStz",
    plain: "aCefFhHilmnqsvw",
    code_words: &["--", "--run", "--process-code", "--process-begin", "--process-end"],
    value_words: &["--define", "--docroot", "--php-ini", "--server", "--zend-extension"],
    plain_words: &["--file", "--no-php-ini", "--process-file"],
    ..Options::NONE
};
/// bash(1), dash(1); with `-s` what comes are arguments.
const SHELL: Options = Options {
    code: "cs",
    value: "oO",
    plain: "abBCDeEfhHiklmnpPrtTuvVx",
    value_words: &["--init-file", "--rcfile"],
    plain_words: &["--login", "--noprofile", "--norc", "--posix", "--verbose"],
    plus: true,
    ..Options::NONE
};
/// lua(1), luajit(1).
const LUA: Options =
    Options { code: "e", value: "jl", attached: "O", plain: "EivW", ..Options::NONE };

/// <https://docs.oracle.com/en/java/javase/21/docs/specs/man/java.html>
fn java<'a>(words: &[&'a str]) -> Option<&'a str> {
    let mut words = words.iter().copied().peekable();
    while let Some(word) = words.next() {
        match word {
            "-jar" => {
                return words.next().filter(|path| is_path(path)).map(stem).map(without_version);
            }
            "-m" | "--module" => {
                let module = words.next().filter(|module| is_path(module))?;
                return module.rsplit(['/', '.']).next();
            }
            "-cp"
            | "-classpath"
            | "--class-path"
            | "-p"
            | "--module-path"
            | "--add-opens"
            | "--add-modules"
            | "--add-exports"
            | "--add-reads"
            | "--enable-native-access"
            | "--limit-modules"
            | "--patch-module"
            | "--upgrade-module-path" => {
                words.next();
            }
            "--enable-preview" => {}
            // What comes may be its value or a class.
            word if word.starts_with("--") && !word.contains('=') => {
                if words.peek().is_some_and(|next| !next.starts_with('-')) {
                    return None;
                }
            }
            word if word.starts_with(['-', '@']) => {}
            "org.apache.catalina.startup.Bootstrap" => return Some("tomcat"),
            class => return class.rsplit('.').next().filter(|_| is_class(class)),
        }
    }
    None
}

/// A script or module, or what a server among them runs.
fn python<'a>(words: &[&'a str]) -> Option<&'a str> {
    let (run, rest) = PYTHON.script(words)?;
    let server = base(run).split('.').next().unwrap_or(run);
    if !SERVERS.contains(&server) {
        return Some(run);
    }
    served(server, rest).or(Some(run))
}

/// The application that a server was told to run. What may be the value of another option is not
/// taken, since names and passwords are written as `a:b` too.
fn served<'a>(server: &str, words: &[&'a str]) -> Option<&'a str> {
    let names_it = |option: &str| {
        ["-A", "--app", "--module", "--call", "--wsgi", "--wsgi-file"].contains(&option)
            || (server == "uwsgi" && option == "-w")
    };
    let mut before = "";
    let mut named = None;
    for word in words.iter().copied() {
        let told = match word.split_once('=') {
            Some((option, value)) if names_it(option) => Some(value),
            _ if names_it(before) => Some(word),
            _ => None,
        };
        if let Some(told) = told {
            let plain = (is_module(told) || is_script(told)).then_some(told);
            return application(told).or(plain);
        }
        let is_value = before.starts_with('-')
            && !before.contains('=')
            && (before.starts_with("--") || before.len() == 2)
            && !FLAGS.contains(&before);
        if named.is_none() && !is_value && !word.starts_with('-') {
            named = application(word);
        }
        before = word;
    }
    named
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
    let run = bracket.and_then(|run| application(run).or_else(|| is_path(run).then_some(run)));
    let words = || words.strip_suffix(':').map(|word| word.trim_start_matches('['));
    run.or_else(|| words().filter(|word| is_path(word)))
}

/// Whether it may be a path, and is no code.
fn is_path(word: &str) -> bool {
    !base(word).is_empty() && word.chars().all(|c| c.is_alphanumeric() || "_-./@+~$".contains(c))
}

/// Whether it is a path of what is a script or archive by its name.
fn is_script(word: &str) -> bool {
    is_path(word) && stem(word).len() < base(word).len()
}

/// Whether it may be the name of a module.
fn is_module(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && word.chars().all(|c| c.is_alphanumeric() || "_.".contains(c))
}

/// Whether it may be the name of a class.
fn is_class(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && word.chars().all(|c| c.is_alphanumeric() || "_.$/".contains(c))
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
/// Options of theirs without a value.
const FLAGS: &[&str] = &[
    "-D",
    "-R",
    "--daemon",
    "--factory",
    "--no-access-log",
    "--preload",
    "--proxy-headers",
    "--reload",
    "--reuse-port",
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
    fn a_program_of_several_names_is_called_as_it_was_started() {
        let name = |comm: &str, title: &str| {
            let started = Started {
                comm: comm.to_owned(),
                executable: "/usr/bin/redis-check-rdb".to_owned(),
                arguments: vec![title.to_owned()],
                directory: "/".to_owned(),
                group: None,
            };
            started.name().name
        };
        assert_eq!(name("redis-server", "/usr/bin/redis-server 127.0.0.1:6379"), "redis-server");
        // A thread's name says nothing of the program.
        assert_eq!(name("bio_close_file", "/usr/bin/redis-check-rdb"), "redis-check-rdb");
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

    /// A command line, whose secrets begin with `SECRET`, and what it is called.
    fn check_words(words: &[&str], expected: &str) {
        let started = Started {
            comm: "comm".to_owned(),
            executable: words[0].to_owned(),
            arguments: words.iter().map(|word| (*word).to_owned()).collect(),
            directory: "/srv/orders".to_owned(),
            group: None,
        };
        let name = started.name();
        assert_eq!(name.name, expected, "{words:?}");
        assert!(!format!("{name:?}").contains("SECRET"), "{words:?}");
    }

    #[test]
    fn code_is_no_name() {
        let code = "SECRET/x.js";
        let options: &[(&str, &[&str])] = &[
            ("perl", &["-e", "-E", "-ne", "-lane", "-wle", "-0777pe", "-Mstrict -e"]),
            (
                "bash",
                &["-c", "-lc", "-ec", "-o pipefail -c", "-eo pipefail -c", "--login -c", "-s"],
            ),
            ("sh", &["-c", "-xc", "+e -c", "-"]),
            ("dash", &["-c"]),
            ("python3.12", &["-c", "-uc", "-Ic", "-W ignore -c", "-", "-m"]),
            ("node", &["-e", "--eval", "-p", "-pe", "--print", "-r x -e", "--trace-x -e", "-"]),
            ("bun", &["-e", "--print"]),
            ("ruby", &["-e", "-ne", "-rjson -e", "-r json -e"]),
            ("php", &["-r", "-d a=b -r", "--run", "-R", "-B", "--"]),
            ("lua5.4", &["-e", "-l x -e"]),
            ("luajit", &["-e"]),
        ];
        for (program, options) in options {
            for option in *options {
                for code in [code, "SECRET('/x')", "$x = SECRET; y.js", "/SECRET code.js"] {
                    let option = option.split(' ');
                    let words: Vec<_> = [*program].into_iter().chain(option).collect();
                    let module = program.starts_with("python") && words.ends_with(&["-m"]);
                    check_words(&[words.as_slice(), &[code]].concat(), program);
                    if !module {
                        check_words(&[words.as_slice(), &[code, "/x/y.js"]].concat(), program);
                    }
                }
            }
        }
        check_words(&["python3", "-cprint('SECRET/x')"], "python3");
        check_words(&["node", "--eval=SECRET", "x.js"], "node");
        check_words(&["php", "-rSECRET;", "x.php"], "php");
        check_words(&["deno", "eval", "SECRET/x"], "deno");
    }

    #[test]
    fn values_of_options_are_no_names() {
        check_words(&["node", "--x", "SECRET", "app.js"], "orders");
        check_words(&["node", "--x", "SECRET/y", "/srv/cart/app.js"], "cart");
        check_words(&["node", "--x", "SECRET", "--y", "SECRET", "app.js"], "node");
        check_words(&["node", "--x", "bin/www", "--y", "SECRET.js"], "node");
        check_words(&["node", "--x=SECRET", "worker.js", "SECRET"], "worker");
        check_words(&["node", "--trace-x", "worker.js"], "worker");
        check_words(&["node", "--inspect", "bin/worker"], "worker");
        check_words(&["node", "SECRET"], "node");
        check_words(&["bash", "-O", "SECRET", "/opt/loop", "SECRET"], "loop");
        check_words(&["sh", "-ex", "./loop", "SECRET"], "loop");
        check_words(&["perl", "-wT", "/usr/sbin/munin-node", "SECRET"], "munin-node");
        check_words(&["perl", "-I", "SECRET", "-Mx=SECRET", "x.pl"], "x");
        check_words(&["php", "-d", "k=SECRET", "-S", "0:80", "-t", "SECRET", "cart.php"], "cart");
        check_words(&["php", "-f", "cart.php"], "cart");
        check_words(&["ruby", "-I", "lib", "bin/rails", "SECRET"], "rails");
        check_words(&["deno", "run", "--allow-net", "--x", "SECRET", "cart.ts"], "cart");
        check_words(&["python3", "-X", "SECRET", "worker.py", "SECRET"], "worker");
        check_words(&["python3", "-umhttp.server", "SECRET"], "http.server");
        check_words(&["python3", "--x", "SECRET", "worker.py"], "worker");
        check_words(&["python3", "SECRET"], "python3");
        check_words(&["java", "--x", "SECRET", "com.shop.Main"], "java");
        check_words(&["java", "--x=SECRET", "-DSECRET=SECRET", "com.shop.Orders"], "Orders");
        check_words(&["java", "--x", "-jar", "a.jar"], "a");
        check_words(&["java", "-cp", "x", "SECRET code"], "java");
        check_words(&["dotnet", "--x", "SECRET", "Api.dll"], "dotnet");
        check_words(&["beam.smp", "-setcookie", "SECRET", "-sname", "rabbit@host"], "rabbit");
    }

    #[test]
    fn values_of_a_servers_options_are_no_applications() {
        let gunicorn = |words: &[&str], expected: &str| {
            check_words(
                &[["python3", "/opt/py3.11/gunicorn"].as_slice(), words].concat(),
                expected,
            );
        };
        gunicorn(&["-w", "4", "shop.wsgi:app"], "shop");
        gunicorn(&["-w4", "shop.wsgi:app"], "shop");
        gunicorn(&["--preload", "shop.wsgi:app"], "shop");
        gunicorn(&["-w", "4"], "gunicorn");
        gunicorn(&["--env", "SECRET:x", "shop:app"], "shop");
        gunicorn(&["--x", "SECRET:x", "--y", "SECRET", "-b", "unix:SECRET"], "gunicorn");
        gunicorn(&["shop:create('SECRET')", "SECRET"], "gunicorn");
        check_words(&["python3", "-m", "celery", "-A", "SECRET code", "worker"], "celery");
        check_words(&["python3", "-m", "flask", "--app=shop", "run", "-p", "SECRET"], "shop");
        check_words(&["uwsgi", "--http", ":8000", "--module", "shop.wsgi"], "shop.wsgi");
        check_words(&["uwsgi", "--x", "SECRET:x", "-w", "shop.wsgi:app"], "shop");
        check_words(&["uwsgi", "--wsgi-file", "/srv/cart/wsgi.py", "--x", "SECRET"], "cart");
        check_words(&["uwsgi", "--x", "SECRET"], "uwsgi");
    }

    #[test]
    fn title_is_no_path() {
        let started = Started {
            comm: "postgres".to_owned(),
            arguments: vec!["postgres: me db SECRET/x".to_owned()],
            ..Started::default()
        };
        assert_eq!(started.name().name, "postgres");
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
        check("[celeryd: celery@host:MainProcess] -active- (worker -A x)", "celeryd");
        check("worker (user:password) [a:b'c]", "python3");
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
