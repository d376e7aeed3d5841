//! What four protocols say, in as few bytes as say it.

use crate::net::{Connection, Net, US};
use crate::sql::{COLUMN, OK, greeting, login, message, mysql, ready, startup};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Talk {
    Http,
    Redis,
    MySql,
    PostgreSql,
}

impl Talk {
    /// Those that carry identifiers.
    pub(crate) const WITH_IDS: [Self; 3] = [Self::Http, Self::MySql, Self::PostgreSql];

    pub(crate) fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Redis => 6379,
            Self::MySql => 3306,
            Self::PostgreSql => 5432,
        }
    }

    /// The login of a connection that was just opened; gives when it is over.
    pub(crate) fn log_in(self, connection: &mut Connection, net: &mut Net, at: i64) -> i64 {
        let think = 50 * US;
        match self {
            Self::Http | Self::Redis => at,
            Self::MySql => {
                let at = connection.tells(net, at, &[], mysql(0, &[&greeting()])) + think;
                let at = connection.asks(net, at, &[], mysql(1, &[&login()])) + think;
                connection.tells(net, at, &[], mysql(2, &[OK])) + think
            }
            Self::PostgreSql => {
                let at = connection.asks(net, at, &[], startup()) + think;
                let greeting = [message(b'R', &[0; 4]), ready()].concat();
                connection.tells(net, at, &[], greeting) + think
            }
        }
    }

    /// A request about this, with header lines of HTTP: in SQL, they are comments.
    pub(crate) fn asks(self, about: &str, headers: &[String]) -> Vec<u8> {
        match self {
            Self::Http => {
                let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
                format!("GET /{about} HTTP/1.1\r\nHost: shop\r\n{lines}\r\n").into_bytes()
            }
            Self::Redis => {
                assert!(headers.is_empty());
                resp(&["GET", about])
            }
            Self::MySql | Self::PostgreSql => self.query(&select(about, headers)),
        }
    }

    /// A good answer, of about so many bytes of content.
    pub(crate) fn tells(self, headers: &[String], content: usize) -> Vec<u8> {
        let content = "x".repeat(content.max(1));
        match self {
            Self::Http => {
                let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
                let length = content.len();
                format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: {length}\r\n\r\n{content}")
                    .into()
            }
            Self::Redis => format!("${}\r\n{content}\r\n", content.len()).into(),
            Self::MySql => {
                let eof = b"\xfe\0\0\x02\0";
                let short = &content.as_bytes()[..content.len().min(250)];
                let row = [&[short.len() as u8], short].concat();
                mysql(1, &[b"\x01", b"\x03def\x04shop\x06orders", eof, &row, eof])
            }
            Self::PostgreSql => {
                let length = (content.len() as u32).to_be_bytes();
                let row = [b"\0\x01", &length[..], content.as_bytes()].concat();
                [message(b'T', COLUMN), message(b'D', &row), message(b'C', b"SELECT 1\0"), ready()]
                    .concat()
            }
        }
    }

    /// A statement of SQL.
    pub(crate) fn query(self, text: &str) -> Vec<u8> {
        match self {
            Self::MySql => mysql(0, &[&[b"\x03", text.as_bytes()].concat()]),
            _ => message(b'Q', format!("{text}\0").as_bytes()),
        }
    }

    /// Prepares a statement, as number or name 1, and says that this is done.
    pub(crate) fn prepares(self, text: &str) -> [Vec<u8>; 2] {
        match self {
            Self::MySql => [
                mysql(0, &[&[b"\x16", text.as_bytes()].concat()]),
                mysql(1, &[b"\0\x01\0\0\0\0\0\0\0\0\0\0"]),
            ],
            _ => [
                [message(b'P', format!("s1\0{text}\0\0\0").as_bytes()), message(b'S', b"")]
                    .concat(),
                [message(b'1', b""), ready()].concat(),
            ],
        }
    }

    /// Executes it, and answers.
    pub(crate) fn executes(self) -> [Vec<u8>; 2] {
        match self {
            Self::MySql => [mysql(0, &[b"\x17\x01\0\0\0\0\x01\0\0\0"]), self.tells(&[], 1)],
            _ => [
                [
                    message(b'B', b"\0s1\0\0\0\0\0\0\0"),
                    message(b'E', b"\0\0\0\0\0"),
                    message(b'S', b""),
                ]
                .concat(),
                [
                    message(b'2', b""),
                    message(b'D', b"\0\x01\0\0\0\x01v"),
                    message(b'C', b"SELECT 1\0"),
                    ready(),
                ]
                .concat(),
            ],
        }
    }
}

/// The text of a statement that reads this table, with such comments behind it.
pub(crate) fn select(table: &str, headers: &[String]) -> String {
    let comments = headers.iter().map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        format!(" /*{}='{value}'*/", name.to_ascii_lowercase())
    });
    format!("SELECT a FROM {table}{}", comments.collect::<String>())
}

/// A command of Redis.
pub(crate) fn resp(words: &[&str]) -> Vec<u8> {
    let bulks = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), bulks.collect::<String>()).into()
}
