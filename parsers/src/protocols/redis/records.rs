//! What lists, streams and channels transport: values of commands and replies in, records out.
//!
//! A producer's values stand in its command, a consumer's in its reply; where which command has
//! them is in the [reference](https://redis.io/docs/latest/commands/). Within a transaction, the
//! replies stand in that of `EXEC`, which alone puts anything in. What a command puts in only under
//! a condition waits for its reply, too.

use super::names::NAME_LIMIT;
use super::resp::{Stop, WHOLE_LIMIT, length, short};
use crate::message::{DIGEST_LIMIT, Record, Role, digest};
use crate::protocol::{Key, Out};
use crate::secrets::Secrets;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// What a command's arguments transport.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sends {
    /// Nothing.
    #[default]
    Nothing,
    /// Each argument from this one on is a value.
    From(usize),
    /// This argument is a value.
    At(usize),
    /// `XADD`: an entry after its id, and whether only an existing stream gets it.
    Entry(Part, bool),
    /// No values of its own; the second argument is a list that gets what the first one loses.
    Moves,
}

/// Which part of `XADD` comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// An option, or the id.
    Option,
    /// `=`, `~` or a threshold.
    Trim,
    /// So many words of an option.
    Words(u8),
    /// Fields and values, of which this is the digest as yet.
    Fields(u64),
}

impl Sends {
    /// By a command's name in upper case.
    pub(super) fn of(operation: &[u8]) -> Self {
        match operation {
            b"LPUSH" | b"RPUSH" | b"LPUSHX" | b"RPUSHX" => Self::From(2),
            b"PUBLISH" | b"SPUBLISH" => Self::At(2),
            b"LINSERT" => Self::At(4),
            b"XADD" => Self::Entry(Part::Option, false),
            b"RPOPLPUSH" | b"BRPOPLPUSH" | b"LMOVE" | b"BLMOVE" => Self::Moves,
            _ => Self::Nothing,
        }
    }

    /// The digest of a value that stands at this argument, of whose `size` bytes the first are
    /// given.
    pub(super) fn value(&mut self, place: usize, value: &[u8], size: usize) -> Option<u64> {
        let is_value = match self {
            Self::From(first) => place >= *first,
            Self::At(only) => place == *only,
            Self::Entry(part, if_there) if place >= 2 => {
                *if_there |= *part == Part::Option && value.eq_ignore_ascii_case(b"NOMKSTREAM");
                part.take(value, size);
                false
            }
            _ => false,
        };
        is_value.then(|| digest(0, value, size as u64))
    }

    /// The digest of an entry whose fields have all come.
    pub(super) fn entry(self) -> Option<u64> {
        match self {
            Self::Entry(Part::Fields(digest), _) if digest != 0 => Some(digest),
            _ => None,
        }
    }

    /// Whether only the reply says if anything was put in, of an entry.
    pub(super) fn is_conditional(self) -> bool {
        matches!(self, Self::Entry(_, true))
    }
}

impl Part {
    fn take(&mut self, value: &[u8], size: usize) {
        let is =
            |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
        *self = match *self {
            Self::Option if is(&["NOMKSTREAM", "KEEPREF", "DELREF", "ACKED"]) => Self::Option,
            Self::Option if is(&["MAXLEN", "MINID"]) => Self::Trim,
            Self::Option if is(&["LIMIT", "IDMPAUTO"]) => Self::Words(1),
            Self::Option if is(&["IDMP"]) => Self::Words(2),
            Self::Option => Self::Fields(0),
            Self::Trim if is(&["=", "~"]) => Self::Words(1),
            Self::Trim | Self::Words(0 | 1) => Self::Option,
            Self::Words(words) => Self::Words(words - 1),
            Self::Fields(before) => Self::Fields(digest(before, value, size as u64)),
        };
    }
}

/// What a reply transports, and what was found of it so far.
#[derive(Debug)]
pub(super) struct Finder {
    form: Form,
    /// The list, stream or channel; where the reply names it, the one named last.
    queue: Name,
    /// Elements still to come at each level.
    levels: SmallVec<[u64; 6]>,
    /// Values that came; of an entry, those of it.
    values: usize,
    /// The id of the entry under way.
    id: SmallVec<[u8; 24]>,
    /// The digest of its fields so far.
    fields: u64,
    /// Whether the next value of the entry is secret by its field's name.
    masked: bool,
    /// The replies that are looked into, of those in the reply of `EXEC`, by their places there.
    queued: VecDeque<(u64, Self)>,
    /// Replies in that of `EXEC` that have begun.
    begun: u64,
}

/// The first bytes of a name.
type Name = SmallVec<[u8; 24]>;

/// How a reply that transports something is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One value or several, and the list that gets them.
    Values { to: Name },
    /// A name, and one value or several.
    Named,
    /// Entries, below so many levels: each an id, and its fields and values.
    Entries(usize),
    /// The same, each stream's below its name, so many levels below the top.
    Streams(usize),
    /// The id of an entry that was sent, with this digest.
    Added(u64),
    /// A number: if it is more than 0, what was sent is in, with these digests.
    Counted(SmallVec<[u64; 1]>),
    /// Something that was published: the value after so many words.
    Published(usize),
    /// The replies of a transaction.
    Exec,
}

/// A piece of a reply.
pub(super) enum Piece<'b> {
    /// So many elements follow.
    Level { elements: u64, is_map: bool },
    /// A value of so many bytes, of which the first are given.
    Value(&'b [u8], u64),
    /// A number of more than 0.
    Some,
    /// Something else: 0 or less, nothing, a line.
    Plain,
}

impl Finder {
    /// For the reply to a command, given its name in upper case, its key, and its second argument,
    /// and whether it is queued for a transaction.
    pub(super) fn of(operation: &[u8], key: &[u8], second: &[u8], queued: bool) -> Option<Self> {
        let to = |name: &[u8]| Form::Values { to: name_of(name) };
        let form = match operation {
            b"LPOP" | b"RPOP" => to(b""),
            b"RPOPLPUSH" | b"BRPOPLPUSH" | b"LMOVE" | b"BLMOVE" => to(second),
            b"BLPOP" | b"BRPOP" | b"LMPOP" | b"BLMPOP" => Form::Named,
            b"XRANGE" | b"XREVRANGE" | b"XCLAIM" => Form::Entries(0),
            b"XAUTOCLAIM" => Form::Entries(1),
            b"XREAD" | b"XREADGROUP" => Form::Streams(2),
            b"XADD" => Form::Added(0),
            b"LPUSHX" | b"RPUSHX" | b"LINSERT" => Form::Counted(SmallVec::new()),
            b"LPUSH" | b"RPUSH" | b"PUBLISH" | b"SPUBLISH" if queued => {
                Form::Counted(SmallVec::new())
            }
            _ => return None,
        };
        Some(Self::new(form, key))
    }

    /// For what a subscription sends.
    pub(super) fn published(words: usize, channel: &[u8]) -> Self {
        Self::new(Form::Published(words), channel)
    }

    fn new(form: Form, queue: &[u8]) -> Self {
        Self {
            form,
            queue: name_of(queue),
            levels: SmallVec::new(),
            values: 0,
            id: SmallVec::new(),
            fields: 0,
            masked: false,
            queued: VecDeque::new(),
            begun: 0,
        }
    }

    /// The command sends a value or an entry with this digest. Whether the reply will tell it.
    pub(super) fn sent(&mut self, digest: u64) -> bool {
        match &mut self.form {
            Form::Added(known @ 0) => *known = digest,
            Form::Counted(digests) if digests.len() < HELD_LIMIT => digests.push(digest),
            _ => return false,
        }
        true
    }

    /// Tells what was sent and waits for the reply, but for an entry, which gets its id there.
    pub(super) fn tell_held(&self, told: &mut Told<'_>) {
        if let Form::Counted(digests) = &self.form {
            for digest in digests {
                told.tell(Role::Produced, &self.queue, *digest, b"");
            }
        }
    }

    /// How many records of what was sent wait for the reply.
    fn held(&self) -> usize {
        match &self.form {
            Form::Counted(digests) => digests.len(),
            _ => 0,
        }
    }

    /// How many bytes more must be there before the element that starts here can be read.
    pub(super) fn check(input: &[u8]) -> Result<(), Stop> {
        let [b'$' | b'=', rest @ ..] = input else { return Ok(()) };
        if rest.first() == Some(&b'?') {
            return Ok(());
        }
        let (rest, size) = length(rest)?;
        match usize::try_from(size) {
            Ok(size) if size > WHOLE_LIMIT && rest.len() < WHOLE_LIMIT => {
                Err(short(WHOLE_LIMIT - rest.len()))
            }
            _ => Ok(()),
        }
    }

    /// The element that starts here was read. Whether there is anything more to find.
    pub(super) fn read(&mut self, input: &[u8], told: &mut Told<'_>) -> bool {
        let [kind, rest @ ..] = input else { return false };
        let piece = match kind {
            b'*' | b'%' | b'~' | b'>' => match length(rest) {
                Ok((_, count)) => match u64::try_from(count) {
                    Ok(count) if *kind == b'%' => {
                        Piece::Level { elements: count.saturating_mul(2), is_map: true }
                    }
                    Ok(elements) => Piece::Level { elements, is_map: false },
                    Err(_) => Piece::Plain,
                },
                Err(_) => return false,
            },
            b'$' | b'=' => match length(rest) {
                Ok((rest, size)) => match u64::try_from(size) {
                    Ok(size) => {
                        let shown = usize::try_from(size).unwrap_or(WHOLE_LIMIT).min(WHOLE_LIMIT);
                        Piece::Value(rest.get(..shown).unwrap_or(rest), size)
                    }
                    Err(_) => Piece::Plain,
                },
                Err(_) => return false,
            },
            // What is announced bit by bit is not looked into, nor what has attributes.
            b'|' | b'.' | b';' => return false,
            b':' if matches!(rest.first(), Some(b'1'..=b'9')) => Piece::Some,
            _ => Piece::Plain,
        };
        self.piece(&piece, told);
        true
    }

    fn piece(&mut self, piece: &Piece<'_>, told: &mut Told<'_>) {
        if self.form == Form::Exec {
            self.inside_exec(piece, told);
        }
        let depth = self.levels.len();
        match piece {
            Piece::Level { elements, is_map } => {
                self.count();
                if *is_map && depth == 0 && self.form == Form::Streams(2) {
                    // A map has its names one level further up than a list of pairs.
                    self.form = Form::Streams(1);
                }
                self.levels.push(*elements);
                if Some(depth + 1) == self.entries().map(|above| above + 2) {
                    self.id.clear();
                    self.fields = 0;
                    self.masked = false;
                    self.values = 0;
                }
            }
            Piece::Value(value, size) => {
                self.value(depth, value, *size, told);
                self.count();
            }
            Piece::Some | Piece::Plain => {
                if matches!(piece, Piece::Some) {
                    self.tell_held(told);
                }
                self.values += 1;
                self.count();
            }
        }
        self.leave(told);
    }

    fn value(&mut self, depth: usize, value: &[u8], size: u64, told: &mut Told<'_>) {
        self.values += 1;
        match &self.form {
            Form::Values { to } => {
                let digest = digest(0, value, size);
                told.tell(Role::Taken, &self.queue, digest, b"");
                if !to.is_empty() {
                    told.tell(Role::Produced, to, digest, b"");
                }
            }
            Form::Named if self.values == 1 => self.queue = name_of(value),
            Form::Named => told.tell(Role::Taken, &self.queue, digest(0, value, size), b""),
            Form::Added(entry) => told.tell(Role::Produced, &self.queue, *entry, value),
            Form::Published(words) if self.values == words + 1 => {
                told.tell(Role::Received, &self.queue, digest(0, value, size), b"");
            }
            Form::Published(_) | Form::Counted(_) | Form::Exec => {}
            Form::Streams(above) if depth == *above => self.queue = name_of(value),
            Form::Entries(above) | Form::Streams(above) => {
                if depth == *above + 2 && self.values == 1 {
                    self.id = SmallVec::from_slice(value.get(..ID_LIMIT).unwrap_or(value));
                } else if depth == *above + 3 {
                    // The sender's digest leaves out the same.
                    if std::mem::take(&mut self.masked) {
                        return;
                    }
                    self.masked = value.len() <= NAME_LIMIT && told.secrets.are_named_in(value);
                    self.fields = digest(self.fields, value, size);
                }
            }
        }
    }

    /// How many levels lie above the entries.
    fn entries(&self) -> Option<usize> {
        match self.form {
            Form::Entries(above) | Form::Streams(above) => Some(above),
            _ => None,
        }
    }

    /// One more element of the innermost level is here.
    fn count(&mut self) {
        if let Some(left) = self.levels.last_mut() {
            *left = left.saturating_sub(1);
        }
    }

    /// Leaves the levels that have nothing more to come.
    fn leave(&mut self, told: &mut Told<'_>) {
        while self.levels.last() == Some(&0) {
            let depth = self.levels.len();
            self.levels.pop();
            if self.entries().is_some_and(|above| depth == above + 3)
                && self.fields != 0
                && !self.id.is_empty()
            {
                told.tell(Role::Received, &self.queue, self.fields, &self.id);
            }
        }
    }

    fn inside_exec(&mut self, piece: &Piece<'_>, told: &mut Told<'_>) {
        match self.levels.len() {
            0 => return,
            1 => self.begun += 1,
            _ => {}
        }
        let place = self.begun.saturating_sub(1);
        while self.queued.front().is_some_and(|(at, _)| *at < place) {
            self.queued.pop_front();
        }
        if let Some((at, finder)) = self.queued.front_mut()
            && *at == place
        {
            finder.piece(piece, told);
        }
    }
}

/// The commands of a transaction whose replies are looked into.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    queued: u64,
    finders: VecDeque<(u64, Finder)>,
    /// Records of what was sent that wait for the reply.
    held: usize,
}

impl Transaction {
    /// One more command is queued. If there is no room for what its reply is to be looked for, that
    /// is given back.
    pub(super) fn queue(&mut self, finder: Option<Box<Finder>>) -> Option<Box<Finder>> {
        let place = self.queued;
        self.queued += 1;
        let finder = finder?;
        let held = self.held + finder.held();
        if self.finders.len() >= QUEUED_LIMIT || held > QUEUED_LIMIT {
            return Some(finder);
        }
        self.held = held;
        self.finders.push_back((place, *finder));
        None
    }

    /// What is to be looked for in the reply of `EXEC`, if anything.
    pub(super) fn exec(self) -> Option<Box<Finder>> {
        if self.finders.is_empty() {
            return None;
        }
        let mut exec = Finder::new(Form::Exec, b"");
        exec.queued = self.finders;
        Some(Box::new(exec))
    }
}

/// Where records are told: of one message.
pub(super) struct Told<'a> {
    pub(super) key: Key,
    pub(super) secrets: &'a Secrets,
    pub(super) out: &'a mut dyn Out,
}

impl Told<'_> {
    /// A record, unless what it is in has a secret's name: of a short secret, a digest tells it.
    pub(super) fn tell(&mut self, role: Role, queue: &[u8], digest: u64, id: &[u8]) {
        if !self.secrets.are_named_in(queue) {
            self.out.record(self.key, Record { role, queue, digest, id });
        }
    }
}

/// Whether a command, by its name in upper case, asks for what is in a queue: a consumer's.
pub(super) fn asks(operation: &[u8]) -> bool {
    ASKS.iter().any(|name| name.as_bytes() == operation)
}

fn name_of(name: &[u8]) -> Name {
    SmallVec::from_slice(queue_name(name))
}

/// The part of a queue's name that is kept.
pub(super) fn queue_name(name: &[u8]) -> &[u8] {
    name.get(..QUEUE_LIMIT).unwrap_or(name)
}

const ASKS: &[&str] = &[
    "BLMOVE",
    "BLMPOP",
    "BLPOP",
    "BRPOP",
    "BRPOPLPUSH",
    "LMOVE",
    "LMPOP",
    "LPOP",
    "RPOP",
    "RPOPLPUSH",
    "XAUTOCLAIM",
    "XCLAIM",
    "XREAD",
    "XREADGROUP",
];

// Of a value that is skipped, what its digest is made of has been awaited.
const _: () = assert!(WHOLE_LIMIT >= DIGEST_LIMIT);

/// Bytes of a queue's name that are kept.
const QUEUE_LIMIT: usize = 128;

/// Bytes of an entry's id: two numbers of 64 bits.
const ID_LIMIT: usize = 41;

/// Commands of a transaction whose replies are looked into, and records that wait for that.
const QUEUED_LIMIT: usize = 256;

/// Values of a command that wait for its reply.
const HELD_LIMIT: usize = 64;
