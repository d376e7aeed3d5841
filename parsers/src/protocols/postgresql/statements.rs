//! The statements of a connection: the one that is read, and those that were prepared or bound.

use super::prepared::Named;
use crate::protocol::Out;
use crate::settings::Settings;
use crate::sql::{Backslash, Dialect, Lexer, Statement};
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

pub(super) struct Statements {
    lexer: Lexer,
    /// Whether the lexer holds the unnamed statement.
    holds_unnamed: bool,
    /// The unnamed statement, once the lexer had to read another one.
    unnamed: Option<Arc<Statement>>,
    named: Named,
    /// What the unnamed portal was bound to.
    portal: Source,
    portals: Named,
}

/// Where a statement is kept.
#[derive(Clone, Debug, Default)]
pub(super) enum Source {
    /// In the lexer, as long as that reads no other one.
    Lexer,
    Kept(Arc<Statement>),
    /// It was not seen.
    #[default]
    Unknown,
}

impl Statements {
    pub(super) fn new(settings: &Arc<Settings>) -> Self {
        Self {
            lexer: Lexer::new(Dialect::PostgreSql, settings),
            holds_unnamed: false,
            unnamed: None,
            named: Named::default(),
            portal: Source::Unknown,
            portals: Named::default(),
        }
    }

    /// What a backslash is in statements from here on.
    pub(super) fn set_backslash(&mut self, backslash: Backslash) {
        self.lexer.set_backslash(backslash);
    }

    /// A statement begins that is carried out at once; it replaces the unnamed one.
    pub(super) fn begin_query(&mut self) {
        self.holds_unnamed = false;
        self.unnamed = None;
        self.restart();
    }

    /// A statement begins that is kept under a name.
    pub(super) fn begin_parse(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.begin_query();
            return;
        }
        if self.holds_unnamed {
            self.unnamed = Some(Arc::new(self.lexer.statement().clone()));
            self.holds_unnamed = false;
        }
        self.restart();
    }

    fn restart(&mut self) {
        if matches!(self.portal, Source::Lexer) {
            self.portal = Source::Unknown;
        }
        self.lexer.restart();
    }

    /// Reads on; `literal` is told where literals stand in the piece.
    pub(super) fn read(&mut self, piece: &[u8], literal: &mut dyn FnMut(Range<usize>)) {
        self.lexer.read(piece, literal);
    }

    /// The statement is complete.
    pub(super) fn end(&mut self) {
        self.lexer.end();
    }

    /// Keeps what was read under this name.
    pub(super) fn keep(&mut self, name: &[u8], out: &mut dyn Out) {
        if name.is_empty() {
            self.holds_unnamed = true;
            return;
        }
        let statement = Arc::new(self.lexer.statement().clone());
        for _ in 0..self.named.insert(name, statement) {
            out.lost("postgresql prepared statements over the limit");
        }
    }

    /// A portal is made of a statement.
    pub(super) fn bind(&mut self, portal: &[u8], statement: &[u8], out: &mut dyn Out) -> Source {
        let source = self.named(statement);
        if portal.is_empty() {
            self.portal = source.clone();
            return source;
        }
        match self.found(&source) {
            Some(found) => {
                let kept = match &source {
                    Source::Kept(kept) => Arc::clone(kept),
                    _ => Arc::new(found.clone()),
                };
                for _ in 0..self.portals.insert(portal, kept) {
                    out.lost("postgresql portals over the limit");
                }
            }
            None => self.portals.remove(portal),
        }
        source
    }

    /// Forgets a statement or a portal.
    pub(super) fn close(&mut self, kind: u8, name: &[u8]) {
        if kind == b'S' { self.named.remove(name) } else { self.portals.remove(name) }
    }

    /// A statement by its name.
    pub(super) fn named(&self, name: &[u8]) -> Source {
        let kept = match name {
            [] if self.holds_unnamed => return Source::Lexer,
            [] => self.unnamed.as_ref(),
            _ => self.named.find(name),
        };
        kept.map_or(Source::Unknown, |kept| Source::Kept(Arc::clone(kept)))
    }

    /// What a portal was made of.
    pub(super) fn portal(&self, name: &[u8]) -> Source {
        if name.is_empty() {
            return self.portal.clone();
        }
        let kept = self.portals.find(name);
        kept.map_or(Source::Unknown, |kept| Source::Kept(Arc::clone(kept)))
    }

    /// What is known of a statement that goes on.
    pub(super) fn so_far(&self) -> Statement {
        self.lexer.so_far()
    }

    /// The statement that was read last.
    pub(super) fn current(&self) -> &Statement {
        self.lexer.statement()
    }

    /// The statement that is kept there.
    pub(super) fn found<'s>(&'s self, source: &'s Source) -> Option<&'s Statement> {
        match source {
            Source::Lexer => Some(self.lexer.statement()),
            Source::Kept(statement) => Some(statement),
            Source::Unknown => None,
        }
    }
}

/// What is prepared or described: the verb and the tables.
pub(super) fn described(statement: &Statement) -> SmallVec<[u8; 64]> {
    let mut text = SmallVec::from_slice(statement.operation());
    if !statement.target().is_empty() {
        text.push(b' ');
        text.extend_from_slice(statement.target());
    }
    text
}
