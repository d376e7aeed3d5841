//! Parts of a statement to what it does and to which tables: `SELECT`, `orders items`, and both in
//! their order, as `db.query.summary` has them.
//! <https://opentelemetry.io/docs/specs/semconv/database/database-spans/>

use super::Dialect;
use smallvec::SmallVec;

/// What a statement does, and to what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Its verb, in upper case.
    pub(super) operation: SmallVec<[u8; 16]>,
    /// The tables, with a space between them.
    pub(super) target: Vec<u8>,
    /// Verbs and tables in their order.
    pub(super) summary: Vec<u8>,
}

impl Found {
    pub(super) fn clear(&mut self) {
        self.operation.clear();
        self.target.clear();
        self.summary.clear();
    }
}

/// Reads that from a statement's parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    found: Found,
    tables: u32,
    /// Where the last operation of the summary ends, behind which its tables come.
    section: usize,
    /// The statement itself.
    base: Scope,
    /// Parentheses that are open in it.
    scopes: SmallVec<[Scope; 4]>,
    /// Those that are open beyond [`SCOPE_LIMIT`].
    deeper: u32,
    /// A name whose end is not known yet.
    pending: Option<Pending>,
    /// Names of `WITH`, in upper case; they are no tables.
    common: SmallVec<[Name; 2]>,
    /// The last part was the word DISTINCT.
    distinct: bool,
    /// The last part was a word or name that can call.
    callable: bool,
}

type Name = SmallVec<[u8; 32]>;

#[derive(Clone, Debug)]
struct Pending {
    name: Name,
    /// The last part was the dot in it.
    dotted: bool,
    /// A parenthesis behind it makes it a function.
    may_call: bool,
}

/// What stands between two parentheses, or the statement itself.
#[derive(Clone, Copy, Debug, Default)]
struct Scope {
    verb: Verb,
    expects: Expects,
    /// A comma makes another table to be expected.
    list: bool,
    /// Tables that were named in it.
    named: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Verb {
    #[default]
    None,
    Select,
    Insert,
    Update,
    Delete,
    Merge,
    With,
    Explain,
    /// Those that make, change and drop: the kind of thing follows.
    Define,
    /// Its FROM and TO are followed by files, programs and channels.
    Copy,
    /// Any other.
    Other,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expects {
    #[default]
    Nothing,
    /// A table.
    Table,
    /// A table, or a function that makes one.
    Source,
    /// The name of `WITH`.
    Common,
}

impl Names {
    pub(super) fn clear(&mut self) {
        self.found.clear();
        self.base = Scope::default();
        self.scopes.clear();
        self.common.clear();
        self.pending = None;
        (self.tables, self.section, self.deeper) = (0, 0, 0);
        (self.distinct, self.callable) = (false, false);
    }

    pub(super) fn found(&self) -> &Found {
        &self.found
    }

    /// A word, as it is written and in upper case; that is empty where it is longer than keywords.
    pub(super) fn word(&mut self, word: &[u8], upper: &[u8], dialect: Dialect) {
        if self.goes_on(word) {
            return;
        }
        self.flush();
        let distinct = std::mem::replace(&mut self.distinct, upper == b"DISTINCT");
        self.callable = !matches!(
            upper,
            b"IN"
                | b"VALUES"
                | b"VALUE"
                | b"AND"
                | b"OR"
                | b"NOT"
                | b"ANY"
                | b"ALL"
                | b"SOME"
                | b"EXISTS"
                | b"ON"
                | b"AS"
                | b"FROM"
                | b"JOIN"
                | b"WHERE"
                | b"USING"
                | b"SELECT"
                | b"UNION"
                | b"EXCEPT"
                | b"INTERSECT"
                | b"LATERAL"
                | b"MATERIALIZED"
        );
        if !self.keyword(upper, word, distinct, dialect) {
            self.name(word);
        }
    }

    pub(super) fn identifier(&mut self, name: &[u8]) {
        if !self.goes_on(name) {
            self.flush();
            self.name(name);
        }
        self.distinct = false;
        self.callable = true;
    }

    pub(super) fn value(&mut self) {
        self.flush();
        self.scope().expects = Expects::Nothing;
        self.distinct = false;
        self.callable = false;
    }

    pub(super) fn sign(&mut self, sign: u8) {
        self.distinct = false;
        match sign {
            b'.' => {
                if let Some(pending) = &mut self.pending {
                    pending.dotted = true;
                }
                return;
            }
            b'(' => {
                if self.pending.as_ref().is_some_and(|pending| pending.may_call) {
                    self.pending = None;
                }
                self.flush();
                self.open();
            }
            b')' => {
                self.flush();
                self.close();
            }
            b',' => {
                self.flush();
                let scope = self.scope();
                scope.expects = match scope.verb {
                    Verb::With => Expects::Common,
                    _ if scope.list => Expects::Source,
                    _ => Expects::Nothing,
                };
            }
            b';' => {
                self.flush();
                self.scopes.clear();
                (self.base, self.deeper) = (Scope::default(), 0);
            }
            _ => {
                self.flush();
                self.scope().expects = Expects::Nothing;
            }
        }
        self.callable = false;
    }

    pub(super) fn end(&mut self) {
        self.flush();
    }

    /// Whether a word or name belongs to the name before it.
    fn goes_on(&mut self, part: &[u8]) -> bool {
        match &mut self.pending {
            Some(pending) if pending.dotted => {
                pending.dotted = false;
                let free = NAME_LIMIT.saturating_sub(pending.name.len() + 1);
                pending.name.push(b'.');
                pending.name.extend_from_slice(part.get(..free).unwrap_or(part));
                true
            }
            _ => false,
        }
    }

    /// Whether a word has a meaning of its own here.
    fn keyword(&mut self, upper: &[u8], word: &[u8], distinct: bool, dialect: Dialect) -> bool {
        let scope = *self.scope();
        let verb = match upper {
            b"SELECT" => Verb::Select,
            b"INSERT" | b"REPLACE" => Verb::Insert,
            b"UPDATE" => Verb::Update,
            b"DELETE" => Verb::Delete,
            b"MERGE" => Verb::Merge,
            b"WITH" => Verb::With,
            b"EXPLAIN" | b"DESCRIBE" | b"DESC" | b"ANALYZE" => Verb::Explain,
            b"CREATE" | b"ALTER" | b"DROP" | b"TRUNCATE" | b"RENAME" | b"LOCK" | b"REFRESH"
            | b"OPTIMIZE" | b"REPAIR" | b"CHECK" | b"LOAD" | b"REINDEX" | b"COMMENT" => {
                Verb::Define
            }
            _ => Verb::Other,
        };
        let may_begin = match scope.verb {
            Verb::None => self.scopes.is_empty() || !matches!(verb, Verb::Other | Verb::Define),
            Verb::With | Verb::Explain => {
                !matches!(verb, Verb::Other | Verb::Define | Verb::Explain | Verb::With)
            }
            _ => verb == Verb::Select,
        };
        if may_begin && self.deeper == 0 {
            self.begin(verb, upper, word);
            return true;
        }
        self.clause(upper, scope, distinct, dialect)
    }

    fn begin(&mut self, verb: Verb, upper: &[u8], word: &[u8]) {
        let main = self.scopes.is_empty() || self.base.verb == Verb::None;
        if verb != Verb::With {
            let plain = word.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
            if plain && !upper.is_empty() {
                if self.found.operation.is_empty() && main {
                    self.found.operation.extend_from_slice(upper);
                }
                self.section = summarise(&mut self.found.summary, upper);
            }
        }
        let scope = self.scope();
        scope.verb = if upper == b"COPY" { Verb::Copy } else { verb };
        scope.list = matches!(upper, b"UPDATE" | b"TRUNCATE" | b"LOCK" | b"VACUUM");
        scope.named = false;
        scope.expects = match verb {
            Verb::Insert | Verb::Update | Verb::Merge => Expects::Table,
            Verb::With => Expects::Common,
            Verb::Explain if upper != b"EXPLAIN" => Expects::Table,
            _ => match upper {
                b"TRUNCATE" | b"COPY" | b"VACUUM" | b"CALL" | b"EXECUTE" | b"USE" | b"LOCK"
                | b"LISTEN" | b"UNLISTEN" | b"NOTIFY" => Expects::Table,
                _ => Expects::Nothing,
            },
        };
    }

    /// Words that say what follows.
    fn clause(&mut self, upper: &[u8], before: Scope, distinct: bool, dialect: Dialect) -> bool {
        let mut kind = None;
        let scope = self.scope();
        match upper {
            b"FROM" | b"TO" if scope.verb == Verb::Copy => scope.expects = Expects::Nothing,
            b"FROM" if scope.verb != Verb::None && !distinct => {
                (scope.expects, scope.list) = (Expects::Source, true);
            }
            b"JOIN" | b"STRAIGHT_JOIN" => scope.expects = Expects::Source,
            b"INTO" => {
                let names_table = match scope.verb {
                    Verb::Insert | Verb::Merge | Verb::Define => true,
                    Verb::Select => dialect == Dialect::PostgreSql,
                    _ => false,
                };
                if names_table {
                    scope.expects = Expects::Table;
                }
            }
            b"USING" if matches!(scope.verb, Verb::Merge | Verb::Delete) => {
                (scope.expects, scope.list) = (Expects::Source, true);
            }
            b"ON" if scope.verb == Verb::Define && !scope.named => scope.expects = Expects::Table,
            b"TABLE" | b"TABLES" | b"VIEW" | b"DATABASE" | b"SCHEMA" | b"SEQUENCE" | b"TYPE"
            | b"FUNCTION" | b"PROCEDURE" | b"USER" | b"ROLE" | b"EXTENSION"
                if scope.verb == Verb::Define && !scope.named =>
            {
                // CALL and ROLE of another statement are words like any other.
                (scope.expects, scope.list) = (Expects::Table, true);
                kind = Some(upper);
            }
            b"INDEX" | b"TRIGGER" | b"POLICY" | b"RULE"
                if scope.verb == Verb::Define && !scope.named =>
            {
                scope.expects = Expects::Nothing;
                kind = Some(upper);
            }
            b"ONLY" | b"IF" | b"NOT" | b"EXISTS" | b"IGNORE" | b"LOW_PRIORITY" | b"DELAYED"
            | b"HIGH_PRIORITY" | b"QUICK" | b"LATERAL" | b"CONCURRENTLY" | b"RECURSIVE"
            | b"VERBOSE" | b"FULL" | b"FREEZE" | b"TABLE" | b"TABLES"
                if before.expects != Expects::Nothing => {}
            b"WHERE" | b"SET" | b"GROUP" | b"ORDER" | b"HAVING" | b"LIMIT" | b"VALUES"
            | b"VALUE" | b"RETURNING" | b"WINDOW" | b"FOR" | b"UNION" | b"EXCEPT"
            | b"INTERSECT" | b"OUTFILE" | b"DUMPFILE" => {
                (scope.expects, scope.list) = (Expects::Nothing, false);
            }
            _ => return false,
        }
        if let Some(kind) = kind
            && self.section == self.found.summary.len()
        {
            self.section = summarise(&mut self.found.summary, kind);
        }
        true
    }

    fn name(&mut self, name: &[u8]) {
        let scope = self.scope();
        let expects = std::mem::take(&mut scope.expects);
        if name.is_empty() || name.starts_with(b"@") {
            return;
        }
        match expects {
            Expects::Nothing => {}
            Expects::Common => {
                if self.common.len() < COMMON_LIMIT {
                    self.common.push(cut(name).to_ascii_uppercase().into());
                }
            }
            Expects::Table | Expects::Source => {
                let may_call = expects == Expects::Source;
                let name = cut(name).into();
                self.pending = Some(Pending { name, dotted: false, may_call });
            }
        }
    }

    /// The name before this part is complete.
    fn flush(&mut self) {
        let Some(Pending { name, .. }) = self.pending.take() else { return };
        let is_common = |common: &Name| common.eq_ignore_ascii_case(&name);
        if self.common.iter().any(is_common) || name.eq_ignore_ascii_case(b"DUAL") {
            return;
        }
        self.scope().named = true;
        // A name with spaces in it would look like two.
        let name: Name =
            name.iter()
                .map(|byte| {
                    if byte.is_ascii_whitespace() || byte.is_ascii_control() { b'_' } else { *byte }
                })
                .collect();
        let section = self.found.summary.get(self.section..).unwrap_or_default();
        if !has_word(section, &name) {
            summarise(&mut self.found.summary, &name);
        }
        if self.tables < TABLE_LIMIT && !has_word(&self.found.target, &name) {
            self.tables += 1;
            summarise(&mut self.found.target, &name);
        }
    }

    fn open(&mut self) {
        let callable = self.callable;
        let above = *self.scope();
        if self.scopes.len() >= SCOPE_LIMIT {
            self.deeper = self.deeper.saturating_add(1);
            return;
        }
        let scope = match above.expects {
            Expects::Source if !callable => {
                Scope { expects: Expects::Source, list: true, ..Scope::default() }
            }
            _ => Scope::default(),
        };
        self.scopes.push(scope);
    }

    fn close(&mut self) {
        if self.deeper > 0 {
            self.deeper -= 1;
        } else if let Some(closed) = self.scopes.pop() {
            let scope = self.scope();
            scope.expects = Expects::Nothing;
            if scope.verb == Verb::None {
                scope.verb = closed.verb;
            }
        }
    }

    fn scope(&mut self) -> &mut Scope {
        self.scopes.last_mut().unwrap_or(&mut self.base)
    }
}

/// Adds a word behind a space if there is room for it, and says where the text ends.
fn summarise(text: &mut Vec<u8>, word: &[u8]) -> usize {
    if text.len() + 1 + word.len() <= SUMMARY_LIMIT {
        if !text.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(word);
    }
    text.len()
}

fn has_word(text: &[u8], word: &[u8]) -> bool {
    text.split(|byte| *byte == b' ').any(|known| known == word)
}

fn cut(name: &[u8]) -> &[u8] {
    name.get(..NAME_LIMIT).unwrap_or(name)
}

/// Schema and table together.
const NAME_LIMIT: usize = 128;
/// What the conventions give `db.query.summary`, and enough for targets.
const SUMMARY_LIMIT: usize = 255;
const TABLE_LIMIT: u32 = 8;
const COMMON_LIMIT: usize = 8;
const SCOPE_LIMIT: usize = 32;
