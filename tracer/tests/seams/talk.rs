//! What four protocols say, in as few bytes as say it: requests about a thing, and answers that
//! bear a number, so that each shows which of them it belongs to.

use crate::http::{Connection, end, get, head};
use crate::packets::Packet;
use crate::run::{name, values};
use crate::sql::{COLUMN, OK, greeting, login, message, mysql, ready, startup};
use wirespan::exchange::{Exchange, STATUS_TEXT, State};
use wirespan::span::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Talk {
    Http,
    Redis,
    MySql,
    PostgreSql,
}

impl Talk {
    pub(crate) const ALL: [Self; 4] = [Self::Http, Self::Redis, Self::MySql, Self::PostgreSql];
    pub(crate) const SQL: [Self; 2] = [Self::MySql, Self::PostgreSql];

    /// A connection of host `client` to host `server`, before its handshake.
    pub(crate) fn connection(self, client: u8, server: u8) -> Connection {
        let port = match self {
            Self::Http => 80,
            Self::Redis => 6379,
            Self::MySql => 3306,
            Self::PostgreSql => 5432,
        };
        Connection::new(end(client, 20_000 + port % 97), end(server, port))
    }

    /// The handshake of TCP and the login, at this millisecond.
    pub(crate) fn open(self, connection: &mut Connection, at: i64) -> Vec<Packet> {
        let mut packets = connection.open(at);
        match self {
            Self::Http | Self::Redis => {}
            Self::MySql => {
                packets.push(connection.tells(at, mysql(0, &[&greeting()])));
                packets.push(connection.asks(at, mysql(1, &[&login()])));
                packets.push(connection.tells(at, mysql(2, &[OK])));
            }
            Self::PostgreSql => {
                packets.push(connection.asks(at, startup()));
                packets.push(connection.tells(at, [message(b'R', &[0; 4]), ready()].concat()));
            }
        }
        packets
    }

    /// A request about a path, a key or a table; these have one name.
    pub(crate) fn asks(self, about: &str) -> Vec<u8> {
        match self {
            Self::Http => get(&format!("/{about}"), &[]).into_bytes(),
            Self::Redis => format!("*2\r\n$3\r\nGET\r\n${}\r\n{about}\r\n", about.len()).into(),
            Self::MySql | Self::PostgreSql => self.query(&format!("SELECT 1 FROM {about}")),
        }
    }

    /// The same, so long that it takes many segments.
    pub(crate) fn asks_at_length(self, about: &str) -> Vec<u8> {
        let long = "x".repeat(5_000);
        match self {
            Self::Http => get(&format!("/{about}"), &[&format!("X-Long: {long}")]).into_bytes(),
            Self::Redis => {
                format!("*3\r\n$3\r\nSET\r\n${}\r\n{about}\r\n$5000\r\n{long}\r\n", about.len())
                    .into()
            }
            _ => self.query(&format!("SELECT 1 FROM {about} WHERE a = '{long}'")),
        }
    }

    /// The answer with this number: a status, the text of an error, or so many rows.
    pub(crate) fn tells(self, number: usize) -> Vec<u8> {
        match self {
            Self::Http => {
                let first = format!("HTTP/1.1 {} OK", CODE + number as u32);
                head(&first, &["Content-Length: 2"])
                    .into_bytes()
                    .into_iter()
                    .chain(*b"hi")
                    .collect()
            }
            Self::Redis => format!("-E{number} no\r\n").into(),
            Self::MySql | Self::PostgreSql => self.rows(&vec![10; number]),
        }
    }

    /// The number that an answer bears.
    fn told(self, exchange: &Exchange) -> String {
        match self {
            Self::Http => exchange.code.wrapping_sub(CODE).to_string(),
            Self::Redis => values(exchange, STATUS_TEXT).concat().replace('E', ""),
            _ => values(exchange, "db.response.returned_rows").concat(),
        }
    }

    /// A statement of SQL.
    pub(crate) fn query(self, text: &str) -> Vec<u8> {
        match self {
            Self::MySql => mysql(0, &[&[b"\x03", text.as_bytes()].concat()]),
            _ => message(b'Q', format!("{text}\0").as_bytes()),
        }
    }

    /// The answer to it: rows of one value each, of so many bytes.
    pub(crate) fn rows(self, sizes: &[usize]) -> Vec<u8> {
        let values: Vec<String> = sizes.iter().map(|size| "v".repeat(*size)).collect();
        if self == Self::MySql {
            return mysql_rows(&values);
        }
        let rows = values.iter().map(|value| {
            message(
                b'D',
                &[b"\0\x01", &(value.len() as u32).to_be_bytes()[..], value.as_bytes()].concat(),
            )
        });
        let done = message(b'C', format!("SELECT {}\0", sizes.len()).as_bytes());
        [message(b'T', COLUMN), rows.collect::<Vec<_>>().concat(), done, ready()].concat()
    }

    /// Prepares a statement, as number or name 1.
    pub(crate) fn prepares(self, text: &str) -> Vec<u8> {
        match self {
            Self::MySql => mysql(0, &[&[b"\x16", text.as_bytes()].concat()]),
            _ => {
                let parse = message(b'P', format!("s1\0{text}\0\0\0").as_bytes());
                [parse, message(b'S', b"")].concat()
            }
        }
    }

    pub(crate) fn is_prepared(self) -> Vec<u8> {
        match self {
            Self::MySql => mysql(1, &[b"\0\x01\0\0\0\0\0\0\0\0\0\0"]),
            _ => [message(b'1', b""), ready()].concat(),
        }
    }

    /// Executes what was prepared.
    pub(crate) fn executes(self) -> Vec<u8> {
        match self {
            Self::MySql => mysql(0, &[b"\x17\x01\0\0\0\0\x01\0\0\0"]),
            _ => [
                message(b'B', b"\0s1\0\0\0\0\0\0\0"),
                message(b'E', b"\0\0\0\0\0"),
                message(b'S', b""),
            ]
            .concat(),
        }
    }

    /// What it gives: so many rows.
    pub(crate) fn is_executed(self, rows: usize) -> Vec<u8> {
        match self {
            Self::MySql => mysql_rows(&vec!["v".to_owned(); rows]),
            _ => {
                let row = message(b'D', b"\0\x01\0\0\0\x01v");
                let done = message(b'C', format!("SELECT {rows}\0").as_bytes());
                [message(b'2', b""), row.repeat(rows), done, ready()].concat()
            }
        }
    }

    /// What the span of a request about this is called.
    pub(crate) fn name(self, about: &str) -> String {
        if self == Self::Http { format!("/{about}") } else { about.to_owned() }
    }

    /// What it is about and the number of its answer, such as `orders 2`; else its state.
    pub(crate) fn line(self, span: &Span) -> String {
        let exchange = &span.exchange;
        let about = name(span);
        let about = about.strip_prefix('/').unwrap_or(&about);
        match exchange.state {
            State::Complete => format!("{about} {}", self.told(exchange)),
            state => format!("{about} {}", state.name()),
        }
    }
}

/// A status of HTTP, and those behind it: all of them have bodies, other than 204.
const CODE: u32 = 210;

fn mysql_rows(values: &[String]) -> Vec<u8> {
    let eof = b"\xfe\0\0\x02\0".to_vec();
    let mut payloads = vec![b"\x01".to_vec(), b"\x03def\x04shop\x06orders".to_vec(), eof.clone()];
    for value in values {
        let length = match value.len() {
            short @ ..=250 => vec![short as u8],
            long => [b"\xfd", &(long as u32).to_le_bytes()[..3]].concat(),
        };
        payloads.push([&length, value.as_bytes()].concat());
    }
    payloads.push(eof);
    let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    mysql(1, &payloads)
}
