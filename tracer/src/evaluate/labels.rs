//! Texts and connections that come again and again, as numbers.

use hashbrown::HashMap;
use std::net::SocketAddr;

/// Texts, each with a number.
#[derive(Debug, Default)]
pub(super) struct Labels {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, Label>,
}

/// The number of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Label(u32);

impl Labels {
    /// The number of a text, which it gets now if it has none.
    pub(super) fn number(&mut self, text: &str) -> Label {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = Label(small(self.texts.len()));
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        number
    }

    /// The number of a text, if it has one.
    pub(super) fn known(&self, text: &str) -> Option<Label> {
        self.numbers.get(text).copied()
    }

    /// The text that has a number.
    pub(super) fn text(&self, label: Label) -> &str {
        self.texts.get(label.0 as usize).map_or("", |text| text)
    }
}

/// What tells connections apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    pub(super) protocol: Label,
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    /// The number of the VXLAN or GENEVE network that they are in; none outside of any.
    pub(super) network: Option<u32>,
}

/// Things that are told apart by a key, each with a number.
#[derive(Debug)]
pub(super) struct Numbered<K> {
    all: Vec<K>,
    numbers: HashMap<K, u32>,
}

impl<K> Default for Numbered<K> {
    fn default() -> Self {
        Self { all: Vec::new(), numbers: HashMap::new() }
    }
}

impl<K: Copy + Eq + std::hash::Hash> Numbered<K> {
    /// The number of a key, which it gets now if it has none.
    pub(super) fn number(&mut self, key: K) -> u32 {
        *self.numbers.entry(key).or_insert_with(|| {
            self.all.push(key);
            small(self.all.len() - 1)
        })
    }

    /// The number of a key, if it has one.
    pub(super) fn known(&self, key: &K) -> Option<u32> {
        self.numbers.get(key).copied()
    }

    /// The key that has a number.
    pub(super) fn key(&self, number: u32) -> Option<K> {
        self.all.get(number as usize).copied()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}

/// A place in a list, which is never longer than [`super::MOST`].
pub(super) fn small(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
