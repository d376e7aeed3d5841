//! Java's object streams: values in, texts, numbers, pairs and what was passed over out.
//! <https://docs.oracle.com/en/java/javase/21/docs/specs/serialization/protocol.html>
//!
//! Objects are passed over by the descriptions of their classes, a piece at a time; kept are the
//! descriptions, and which handle stands for which. Strings and numbers that Dubbo writes outside of
//! objects lie in blocks of data, and may be cut anywhere by the head of the next one.

use super::walk::{
    DEPTH_LIMIT, Hide, PAIRS_LIMIT, Pair, Passed, Stop, TEXT_LIMIT, Taken, Thrown, Value, head,
    piece, short,
};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::num::NonZeroUsize;

/// What Dubbo makes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// As Java does (`nativejava`).
    Native,
    /// Before each value stands whether it is one, and before each text its length (`java`).
    Marked,
    /// The same, and classes have names alone (`compactedjava`).
    Compacted,
}

/// Passes over values, those of one body in their order.
#[derive(Clone, Debug)]
pub(super) struct Walker {
    dialect: Dialect,
    /// Whether the head of the stream was read.
    started: bool,
    /// Bytes of the present block of data that were not read.
    block: u32,
    /// What is to be read, the next at the end.
    work: SmallVec<[Work; 8]>,
    /// The class that was named last.
    named: Option<u16>,
    classes: Vec<Class>,
    /// Handles that stand for classes, in their order.
    handles: Vec<(u32, u16)>,
    /// The next handle.
    next: u32,
    /// Fields of all classes.
    fields: usize,
}

#[derive(Clone, Debug, Default)]
struct Class {
    flags: u8,
    /// Whether it is known what its objects consist of.
    is_known: bool,
    /// The types of its fields.
    fields: SmallVec<[u8; 8]>,
    /// The type of what its arrays consist of.
    element: u8,
    parent: Option<u16>,
    /// The field that has an exception's words.
    message: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// A value that Dubbo wrote.
    Written,
    /// One object, or what stands for one.
    Content,
    /// So many of them.
    Contents(u32),
    /// What a class wrote itself, up to an end; whether it is that of the outermost object.
    UntilEnd {
        is_outermost: bool,
    },
    /// So many bytes.
    Bytes(u64),
    /// The class of what follows.
    Class,
    /// So many more fields of a class.
    Fields {
        class: u16,
        left: u16,
    },
    /// The class above one was named.
    Parent(u16),
    /// The class of an object, an array, an enumeration's value or a class was named.
    Object,
    Array,
    Constant,
    Handle,
    /// What an object has of a class.
    Data(u16),
    /// Its fields from one on.
    Values {
        class: u16,
        at: u16,
    },
}

impl Walker {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            started: false,
            block: 0,
            work: SmallVec::new(),
            named: None,
            classes: Vec::new(),
            handles: Vec::new(),
            next: FIRST_HANDLE,
            fields: 0,
        }
    }

    /// Passes over a value, or over the rest of one.
    pub(super) fn pass(&mut self, input: &[u8], hide: &mut Hide<'_>) -> Taken<Passed> {
        if self.work.is_empty() {
            self.work.push(Work::Written);
        }
        let mut at = 0;
        while let Some(work) = self.work.last_mut() {
            let rest = input.get(at..).unwrap_or_default();
            if let Work::Bytes(left) = work {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                *left -= here as u64;
                hide(at..at + here);
                at += here;
                if *left > 0 {
                    return Ok((Passed::Opaque(*left), at));
                }
                self.work.pop();
                continue;
            }
            let work = *work;
            let is_number = self.is_number(work);
            match self.step(rest) {
                Ok(used) => {
                    if is_number {
                        hide(at..at + used);
                    }
                    at += used;
                }
                Err(Stop::Short(more)) => return Ok((Passed::Part(more), at)),
                // What was passed over before is done with, wherever the input was cut.
                Err(_) if at > 0 => return Ok((Passed::Part(NonZeroUsize::MIN), at)),
                Err(bad) => return Err(bad),
            }
        }
        Ok((Passed::Whole, at))
    }

    pub(super) fn passed(&mut self, bytes: u64) {
        if let Some(Work::Bytes(left)) = self.work.last_mut() {
            *left = left.saturating_sub(bytes);
        }
    }

    /// A text that Dubbo wrote, or a null in its place.
    pub(super) fn text<'b>(&mut self, input: &'b [u8]) -> Taken<Option<Cow<'b, [u8]>>> {
        let before = (self.started, self.block);
        let text = self.read_text(input);
        if text.is_err() {
            (self.started, self.block) = before;
        }
        text
    }

    fn read_text<'b>(&mut self, input: &'b [u8]) -> Taken<Option<Cow<'b, [u8]>>> {
        let mut at = self.start(input)?;
        if self.dialect != Dialect::Native {
            let length = self.data(input, &mut at, 4)?;
            if *length == [0xff; 4] {
                return Ok((None, at));
            }
        }
        let length = match &*self.data(input, &mut at, 2)? {
            [high, low] => usize::from(u16::from_be_bytes([*high, *low])),
            _ => return Err(Stop::Bad("text")),
        };
        if length > TEXT_LIMIT {
            return Err(Stop::Bad("text"));
        }
        Ok((Some(self.data(input, &mut at, length)?), at))
    }

    /// A text that was written as an object.
    pub(super) fn object_text<'b>(&mut self, input: &'b [u8]) -> Taken<Option<Cow<'b, [u8]>>> {
        let before = self.block;
        let text = self.read_object_text(input);
        if text.is_err() {
            self.block = before;
        }
        text
    }

    fn read_object_text<'b>(&mut self, input: &'b [u8]) -> Taken<Option<Cow<'b, [u8]>>> {
        let mut at = 0;
        if self.dialect != Dialect::Native && *self.data(input, &mut at, 1)? != [1] {
            return Err(Stop::Bad("text"));
        }
        let [kind, high, low] = head(input, at)?;
        if kind != STRING {
            return Err(Stop::Bad("text"));
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        let text = piece(input, at + 3, length)?;
        self.next += 1;
        Ok((Some(Cow::Borrowed(text)), at + 3 + length))
    }

    /// Whether this is a whole stream of one null.
    pub(super) fn is_null(&self, input: &[u8]) -> bool {
        let expected: &[u8] = match self.dialect {
            Dialect::Native => &[NULL],
            // The mark of a value that is none.
            Dialect::Marked | Dialect::Compacted => &[BLOCK, 1, 0],
        };
        input.strip_prefix(&MAGIC) == Some(expected)
    }

    /// A byte that Dubbo wrote.
    pub(super) fn byte(&mut self, input: &[u8]) -> Taken<i64> {
        let before = (self.started, self.block);
        let mut read = || {
            let mut at = self.start(input)?;
            let byte = self.data(input, &mut at, 1)?;
            Ok((byte.first().copied().map(i64::from).unwrap_or_default(), at))
        };
        let byte = read();
        if byte.is_err() {
            (self.started, self.block) = before;
        }
        byte
    }

    /// The pairs of a map.
    pub(super) fn pairs<'b>(
        &mut self,
        input: &'b [u8],
        found: &mut Pair<'_, 'b>,
        hide: &mut Hide<'_>,
    ) -> Result<(), Stop> {
        self.work.clear();
        self.work.push(Work::Written);
        let mut texts: SmallVec<[(u32, &'b [u8]); 16]> = SmallVec::new();
        let mut name: Option<Option<&'b [u8]>> = None;
        let mut pairs = 0;
        let mut at = 0;
        while let Some(work) = self.work.last() {
            let rest = input.get(at..).unwrap_or_default();
            let kind = rest.first().copied();
            let is_entry = !matches!(kind, Some(BLOCK | LONG_BLOCK | END | RESET) | None);
            if *work != (Work::UntilEnd { is_outermost: true }) || !is_entry {
                at += self.step_over(rest)?;
                continue;
            }
            let handle = self.next;
            let text = match rest {
                [STRING, high, low, after @ ..] => {
                    let text = piece(after, 0, usize::from(u16::from_be_bytes([*high, *low])))?;
                    texts.push((handle, text));
                    Some(text)
                }
                [REFERENCE, ..] => {
                    let handle = u32::from_be_bytes(head(rest, 1)?);
                    let seen = texts.iter().find(|(other, _)| *other == handle);
                    seen.map(|(_, text)| *text)
                }
                _ => None,
            };
            let depth = self.work.len();
            let is_told = text.is_some() && name != Some(None);
            loop {
                let is_own = match self.work.last() {
                    Some(Work::Bytes(_)) => true,
                    Some(work) => self.is_number(*work),
                    None => false,
                };
                let used = self.step_over(input.get(at..).unwrap_or_default())?;
                if is_own && !is_told && used > 0 {
                    hide(at..at + used);
                }
                at += used;
                if self.work.len() <= depth {
                    break;
                }
            }
            match name.take() {
                None => name = Some(text),
                Some(Some(name)) => {
                    let value = text.map_or(Value::Other, |text| Value::Text(Cow::Borrowed(text)));
                    found(Cow::Borrowed(name), value);
                }
                Some(None) => {}
            }
            pairs += 1;
            if pairs > 2 * PAIRS_LIMIT {
                return Err(Stop::Bad("attachments"));
            }
        }
        Ok(())
    }

    /// The class and the words of an exception.
    pub(super) fn thrown<'b>(&self, input: &'b [u8]) -> Thrown<'b> {
        let mut thrown = Thrown::default();
        let mut walker = self.clone();
        walker.work.clear();
        walker.work.push(Work::Written);
        let mut at = 0;
        while let Some(work) = walker.work.last().copied() {
            let rest = input.get(at..).unwrap_or_default();
            match (work, rest) {
                (Work::Class, [CLASS, name @ ..]) if thrown.class.is_none() => {
                    let name = match walker.dialect {
                        Dialect::Compacted => name.get(1..).unwrap_or_default(),
                        _ => name,
                    };
                    thrown.class = utf(name, 0).ok().map(|(name, _)| Cow::Borrowed(name));
                }
                (Work::Values { class, at }, _) if walker.is_in_outermost() => {
                    let message = walker.class(class).and_then(|class| class.message);
                    if message == Some(at) {
                        if let [STRING, text @ ..] = rest {
                            thrown.message = utf(text, 0).ok().map(|(text, _)| Cow::Borrowed(text));
                        }
                        break;
                    }
                }
                _ => {}
            }
            match walker.step_over(rest) {
                Ok(used) => at += used,
                Err(_) => break,
            }
        }
        thrown
    }

    /// Whether the values that come next are those of the outermost object itself.
    fn is_in_outermost(&self) -> bool {
        let [outer @ .., _] = &*self.work else { return false };
        let outer = match outer {
            [outer @ .., Work::UntilEnd { is_outermost: true }] => outer,
            outer => outer,
        };
        outer.iter().all(|work| matches!(work, Work::Data(_)))
    }

    /// The head of the stream.
    fn start(&mut self, input: &[u8]) -> Result<usize, Stop> {
        if self.started {
            return Ok(0);
        }
        if head(input, 0)? != MAGIC {
            return Err(Stop::Bad("stream magic"));
        }
        self.started = true;
        Ok(MAGIC.len())
    }

    /// So many bytes from blocks of data.
    fn data<'b>(
        &mut self,
        input: &'b [u8],
        at: &mut usize,
        n: usize,
    ) -> Result<Cow<'b, [u8]>, Stop> {
        let mut whole: Cow<'b, [u8]> = Cow::Borrowed(&[]);
        loop {
            let wanted = n - whole.len();
            let here = wanted.min(self.block as usize);
            if here > 0 {
                let bytes = piece(input, *at, here)?;
                *at += here;
                self.block -= u32::try_from(here).unwrap_or(u32::MAX);
                if whole.is_empty() {
                    whole = Cow::Borrowed(bytes);
                } else {
                    whole.to_mut().extend_from_slice(bytes);
                }
            }
            if here == wanted {
                return Ok(whole);
            }
            let (length, used) = block(input.get(*at..).unwrap_or_default())?;
            *at += used;
            self.block = length;
        }
    }

    /// As [`Self::step`], and over bytes.
    fn step_over(&mut self, rest: &[u8]) -> Result<usize, Stop> {
        let Some(Work::Bytes(left)) = self.work.last() else { return self.step(rest) };
        let left = usize::try_from(*left).unwrap_or(usize::MAX);
        piece(rest, 0, left)?;
        self.work.pop();
        Ok(left)
    }

    /// Does the next piece of work, or a part of it.
    fn step(&mut self, rest: &[u8]) -> Result<usize, Stop> {
        let Some(work) = self.work.last().copied() else { return Ok(0) };
        if self.work.len() > DEPTH_LIMIT {
            return Err(Stop::Bad("depth"));
        }
        match work {
            Work::Written => {
                let before = (self.started, self.block);
                let mut used = self.start(rest)?;
                let is_there = match self.dialect {
                    Dialect::Native => true,
                    _ => match self.data(rest, &mut used, 1) {
                        Ok(mark) => *mark != [0],
                        Err(stop) => {
                            (self.started, self.block) = before;
                            return Err(stop);
                        }
                    },
                };
                if self.block > 0 && is_there {
                    return Err(Stop::Bad("value"));
                }
                self.work.pop();
                if is_there {
                    self.work.push(Work::Content);
                }
                Ok(used)
            }
            Work::Content => self.content(rest, None),
            Work::Contents(0) => {
                self.work.pop();
                Ok(0)
            }
            Work::Contents(left) => self.content(rest, Some(Work::Contents(left - 1))),
            Work::UntilEnd { .. } => match rest.first() {
                Some(&END) => {
                    self.work.pop();
                    Ok(1)
                }
                Some(&(BLOCK | LONG_BLOCK)) => {
                    let (length, used) = block(rest)?;
                    self.work.push(Work::Bytes(u64::from(length)));
                    Ok(used)
                }
                _ => self.content(rest, Some(work)),
            },
            Work::Class => self.class_named(rest),
            Work::Fields { class, left: 0 } => {
                self.work.pop();
                if let Some(class) = self.class_mut(class) {
                    class.is_known = true;
                }
                Ok(0)
            }
            Work::Fields { class, left } => self.field(rest, class, left),
            Work::Parent(class) => {
                let parent = self.named.filter(|parent| *parent != class);
                if let Some(class) = self.class_mut(class) {
                    class.parent = parent;
                }
                self.named = Some(class);
                self.work.pop();
                Ok(0)
            }
            Work::Object => {
                self.next += 1;
                self.work.pop();
                let start = self.work.len();
                let mut class = self.named;
                while let Some(place) = class {
                    self.work.push(Work::Data(place));
                    class = self.class(place).and_then(|class| class.parent);
                    if self.work.len() - start > PARENTS_LIMIT {
                        return Err(Stop::Bad("class"));
                    }
                }
                Ok(0)
            }
            Work::Array => {
                let size = u32::from_be_bytes(head(rest, 0)?);
                self.next += 1;
                self.work.pop();
                let class = self.named.and_then(|class| self.class(class));
                let element = class.map_or(0, |class| class.element);
                self.work.push(match width(element) {
                    Some(width) => Work::Bytes(u64::from(size) * width as u64),
                    None => Work::Contents(size),
                });
                Ok(4)
            }
            Work::Constant => {
                self.next += 1;
                self.work.pop();
                self.work.push(Work::Content);
                Ok(0)
            }
            Work::Handle => {
                self.next += 1;
                self.work.pop();
                Ok(0)
            }
            Work::Data(place) => {
                self.work.pop();
                let Some(class) = self.class(place) else { return Err(Stop::Bad("class")) };
                if !class.is_known {
                    return Err(Stop::Bad("class without fields"));
                }
                let flags = class.flags;
                if flags & EXTERNALIZABLE != 0 && flags & BLOCKS == 0 {
                    return Err(Stop::Bad("external data"));
                }
                if flags & EXTERNALIZABLE != 0 || flags & WRITES != 0 {
                    let is_outermost = self.work.iter().all(|work| matches!(work, Work::Data(_)));
                    self.work.push(Work::UntilEnd { is_outermost });
                }
                if flags & EXTERNALIZABLE == 0 && flags & SERIALIZABLE != 0 {
                    self.work.push(Work::Values { class: place, at: 0 });
                }
                Ok(0)
            }
            Work::Values { class, at } => {
                let Some(known) = self.class(class) else { return Err(Stop::Bad("class")) };
                let Some(kind) = known.fields.get(usize::from(at)).copied() else {
                    self.work.pop();
                    return Ok(0);
                };
                let next = Work::Values { class, at: at + 1 };
                let Some(width) = width(kind) else { return self.content(rest, Some(next)) };
                piece(rest, 0, width)?;
                self.replace(Some(next));
                Ok(width)
            }
            // Looked at by the caller.
            Work::Bytes(_) => Ok(0),
        }
    }

    /// Reads the start of an object, or what stands for one; then this is left of the present work.
    fn content(&mut self, rest: &[u8], left: Option<Work>) -> Result<usize, Stop> {
        let kind = *rest.first().ok_or_else(|| short(1))?;
        let mut next: SmallVec<[Work; 2]> = SmallVec::new();
        let used = match kind {
            NULL => 1,
            REFERENCE => 5,
            RESET => {
                self.handles.clear();
                self.next = FIRST_HANDLE;
                return Ok(1);
            }
            CLASS | PROXY => {
                next.push(Work::Class);
                0
            }
            OBJECT => {
                next.extend([Work::Object, Work::Class]);
                1
            }
            ARRAY => {
                next.extend([Work::Array, Work::Class]);
                1
            }
            CONSTANT => {
                next.extend([Work::Constant, Work::Class]);
                1
            }
            CLASS_OBJECT => {
                next.extend([Work::Handle, Work::Class]);
                1
            }
            STRING => {
                next.push(Work::Bytes(u64::from(u16::from_be_bytes(head(rest, 1)?))));
                3
            }
            LONG_STRING => {
                next.push(Work::Bytes(u64::from_be_bytes(head(rest, 1)?)));
                9
            }
            _ => return Err(Stop::Bad("content")),
        };
        piece(rest, 0, used)?;
        if matches!(kind, STRING | LONG_STRING) {
            self.next += 1;
        }
        self.replace(left);
        self.work.extend(next);
        Ok(used)
    }

    /// Reads which class something is of.
    fn class_named(&mut self, rest: &[u8]) -> Result<usize, Stop> {
        let kind = *rest.first().ok_or_else(|| short(1))?;
        match kind {
            NULL => {
                self.named = None;
                self.work.pop();
                Ok(1)
            }
            REFERENCE => {
                let handle = u32::from_be_bytes(head(rest, 1)?);
                let place = self.handles.binary_search_by_key(&handle, |(handle, _)| *handle);
                let class = place.ok().and_then(|place| self.handles.get(place));
                self.named = Some(class.ok_or(Stop::Bad("handle"))?.1);
                self.work.pop();
                Ok(5)
            }
            CLASS => {
                let is_short = self.dialect == Dialect::Compacted && head(rest, 1)? == [1];
                let start = if self.dialect == Dialect::Compacted { 2 } else { 1 };
                let (name, mut used) = utf(rest, start)?;
                let mut class = Class::default();
                if let [b'[', element, ..] = name {
                    class.element = *element;
                }
                let mut fields = 0;
                if is_short {
                    if let Some((flags, types)) = layout(name) {
                        (class.flags, class.is_known) = (flags, true);
                        class.fields.extend_from_slice(types);
                    }
                } else {
                    let [_, _, _, _, _, _, _, _, flags, high, low] = head(rest, used)?;
                    used += 11;
                    class.flags = flags;
                    fields = u16::from_be_bytes([high, low]);
                }
                let place = self.add(class)?;
                self.replace(None);
                self.work.extend([
                    Work::Parent(place),
                    Work::Class,
                    Work::UntilEnd { is_outermost: false },
                ]);
                if !is_short {
                    self.work.push(Work::Fields { class: place, left: fields });
                }
                Ok(used)
            }
            PROXY => {
                let count = u32::from_be_bytes(head(rest, 1)?);
                if count as usize > PARENTS_LIMIT {
                    return Err(Stop::Bad("interfaces"));
                }
                let mut used = 5;
                for _ in 0..count {
                    used = utf(rest, used)?.1;
                }
                let class = Class { flags: SERIALIZABLE, is_known: true, ..Class::default() };
                let place = self.add(class)?;
                self.replace(None);
                self.work.extend([
                    Work::Parent(place),
                    Work::Class,
                    Work::UntilEnd { is_outermost: false },
                ]);
                Ok(used)
            }
            RESET => self.content(rest, None),
            _ => Err(Stop::Bad("class")),
        }
    }

    fn field(&mut self, rest: &[u8], class: u16, left: u16) -> Result<usize, Stop> {
        let kind = *rest.first().ok_or_else(|| short(1))?;
        let (name, used) = utf(rest, 1)?;
        let is_object = matches!(kind, b'L' | b'[');
        if (width(kind).is_none() && !is_object) || self.fields >= FIELDS_LIMIT {
            return Err(Stop::Bad("field"));
        }
        self.fields += 1;
        if let Some(class) = self.class_mut(class) {
            if name == b"detailMessage" {
                class.message = u16::try_from(class.fields.len()).ok();
            }
            class.fields.push(kind);
        }
        self.replace(Some(Work::Fields { class, left: left - 1 }));
        if is_object {
            self.work.push(Work::Content);
        }
        Ok(used)
    }

    /// Adds a class, which takes the next handle.
    fn add(&mut self, class: Class) -> Result<u16, Stop> {
        let place = u16::try_from(self.classes.len()).unwrap_or(u16::MAX);
        if place >= CLASSES_LIMIT {
            return Err(Stop::Bad("classes"));
        }
        self.classes.push(class);
        self.handles.push((self.next, place));
        self.next += 1;
        Ok(place)
    }

    fn replace(&mut self, with: Option<Work>) {
        self.work.pop();
        self.work.extend(with);
    }

    /// Whether a field of a primitive type comes next.
    fn is_number(&self, work: Work) -> bool {
        let Work::Values { class, at } = work else { return false };
        let kind = self.class(class).and_then(|class| class.fields.get(usize::from(at)));
        kind.is_some_and(|kind| width(*kind).is_some())
    }

    fn class_mut(&mut self, place: u16) -> Option<&mut Class> {
        self.classes.get_mut(usize::from(place))
    }

    fn class(&self, place: u16) -> Option<&Class> {
        self.classes.get(usize::from(place))
    }
}

/// A text with its length before it, and the place after it.
fn utf(input: &[u8], at: usize) -> Taken<&[u8]> {
    let length = usize::from(u16::from_be_bytes(head(input, at)?));
    Ok((piece(input, at + 2, length)?, at + 2 + length))
}

/// The size of a block of data.
fn block(input: &[u8]) -> Taken<u32> {
    match *input.first().ok_or_else(|| short(1))? {
        BLOCK => {
            let [length] = head(input, 1)?;
            Ok((u32::from(length), 2))
        }
        LONG_BLOCK => Ok((u32::from_be_bytes(head(input, 1)?), 5)),
        _ => Err(Stop::Bad("block")),
    }
}

/// Bytes of a value of a primitive type.
fn width(kind: u8) -> Option<usize> {
    match kind {
        b'B' | b'Z' => Some(1),
        b'C' | b'S' => Some(2),
        b'F' | b'I' => Some(4),
        b'D' | b'J' => Some(8),
        _ => None,
    }
}

/// What objects of classes of Java's own consist of: flags, and the types of fields.
fn layout(class: &[u8]) -> Option<(u8, &'static [u8])> {
    let (plain, writes) = (SERIALIZABLE, SERIALIZABLE | WRITES);
    Some(match class {
        b"java.lang.Number" | b"java.lang.Enum" => (plain, b""),
        b"java.lang.Byte" => (plain, b"B"),
        b"java.lang.Boolean" => (plain, b"Z"),
        b"java.lang.Character" => (plain, b"C"),
        b"java.lang.Short" => (plain, b"S"),
        b"java.lang.Integer" => (plain, b"I"),
        b"java.lang.Long" => (plain, b"J"),
        b"java.lang.Float" => (plain, b"F"),
        b"java.lang.Double" => (plain, b"D"),
        b"java.util.Date" | b"java.util.LinkedList" | b"java.util.HashSet" => (writes, b""),
        b"java.util.ArrayList" => (writes, b"I"),
        b"java.util.Arrays$ArrayList" => (plain, b"["),
        b"java.util.HashMap" => (writes, b"FI"),
        b"java.util.LinkedHashMap" => (plain, b"Z"),
        b"java.util.LinkedHashSet" => (plain, b""),
        _ => return None,
    })
}

const MAGIC: [u8; 4] = [0xac, 0xed, 0, 5];

const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const CLASS: u8 = 0x72;
const OBJECT: u8 = 0x73;
const STRING: u8 = 0x74;
const ARRAY: u8 = 0x75;
const CLASS_OBJECT: u8 = 0x76;
const BLOCK: u8 = 0x77;
const END: u8 = 0x78;
const RESET: u8 = 0x79;
const LONG_BLOCK: u8 = 0x7a;
const LONG_STRING: u8 = 0x7c;
const PROXY: u8 = 0x7d;
const CONSTANT: u8 = 0x7e;

const WRITES: u8 = 0x01;
const SERIALIZABLE: u8 = 0x02;
const EXTERNALIZABLE: u8 = 0x04;
const BLOCKS: u8 = 0x08;

const FIRST_HANDLE: u32 = 0x7e_0000;

/// Classes of one body, their fields, and classes above one another.
const CLASSES_LIMIT: u16 = 1 << 10;
const FIELDS_LIMIT: usize = 1 << 13;
const PARENTS_LIMIT: usize = 64;
