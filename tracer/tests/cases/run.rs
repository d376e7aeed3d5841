//! Packets through the whole pipeline, as one file or several, and what holds of all that comes out.

use crate::net::{Net, Part, PointNumber, START, Sighted};
use crate::wire::pcapng;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use wirespan::clock::survey;
use wirespan::config::Config;
use wirespan::export::Render;
use wirespan::export::ndjson::{Ndjson, SourceNames};
use wirespan::import::spans::Spans;
use wirespan::join::window::WindowLimits;
use wirespan::pipeline::{self, Surroundings};
use wirespan::span::{SpanSink, Trace};
use wirespan_capture::packet::{Batch, Frame, LinkType, Timestamp};
use wirespan_capture::source::PacketSource;
use wirespan_capture::source::alignment::Alignment;
use wirespan_capture::source::memory::MemorySource;
use wirespan_capture::source::merge::MergedSource;
use wirespan_capture::source::report::Progress;

/// What is in which file: for each tap, the file, and its number there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Files(Vec<(usize, usize)>);

impl Files {
    /// All taps in one file.
    pub(crate) fn one(net: &Net) -> Self {
        Self((0..net.taps.len()).map(|tap| (0, tap)).collect())
    }

    /// Each tap in a file of its own, in some order.
    pub(crate) fn each(net: &mut Net) -> Self {
        let mut files: Vec<usize> = (0..net.taps.len()).collect();
        net.dice.shuffle(&mut files);
        Self(files.into_iter().map(|file| (file, 0)).collect())
    }

    fn count(&self) -> usize {
        self.0.iter().map(|(file, _)| file + 1).max().unwrap_or_default()
    }
}

/// All packets, in the order of the files and of time in each.
pub(crate) struct Capture<'a> {
    net: &'a Net,
    files: &'a Files,
    packets: Vec<Vec<&'a Sighted>>,
}

impl<'a> Capture<'a> {
    pub(crate) fn of(net: &'a Net, files: &'a Files) -> Self {
        let mut packets = vec![Vec::new(); files.count()];
        for packet in &net.packets {
            packets[files.0[packet.tap].0].push(packet);
        }
        packets.iter_mut().for_each(|packets| packets.sort_by_key(|packet| packet.at));
        Self { net, files, packets }
    }

    /// The packet of this frame.
    pub(crate) fn packet(&self, frame: Frame) -> &'a Sighted {
        self.packets[usize::from(frame.file.0)][frame.number as usize - 1]
    }

    /// The tap that a clock was found for: of a file, or of an interface in one.
    pub(crate) fn tap_of(&self, clock: &Alignment) -> Option<usize> {
        let file = usize::from(clock.file.0);
        let is_it = |(its, place): &(usize, usize)| {
            *its == file && clock.interface.is_none_or(|one| usize::from(one.0) == *place)
        };
        self.files.0.iter().position(is_it)
    }

    /// When a point saw the first and the last packet of a part of an exchange.
    pub(crate) fn times(&self, name: &str, point: PointNumber, part: Part) -> Option<[i64; 2]> {
        let all = self.packets.iter().flatten();
        let times = all
            .filter(|p| p.point == point && p.part == part && p.about.iter().any(|a| a == name))
            .map(|packet| packet.at);
        let first = times.clone().min()?;
        Some([first, times.max()?])
    }

    fn file_name(&self, number: usize) -> &str {
        if self.packets.len() == 1 {
            return "all";
        }
        let first = self.files.0.iter().position(|(file, _)| *file == number).unwrap();
        &self.net.taps[first].name
    }

    /// The files, as bytes.
    pub(crate) fn bytes(&self) -> Vec<Vec<u8>> {
        let file = |number: usize| {
            let mut taps: Vec<(usize, String)> = Vec::new();
            for (tap, (file, place)) in self.net.taps.iter().zip(&self.files.0) {
                if *file == number {
                    taps.push((*place, tap.name.clone()));
                }
            }
            taps.sort();
            let names: Vec<String> = taps.into_iter().map(|(_, name)| name).collect();
            let packets = self.packets[number].iter();
            let packets =
                packets.map(|p| (START + p.at, self.files.0[p.tap].1, p.bytes.as_slice()));
            pcapng(&names, packets)
        };
        (0..self.packets.len()).map(file).collect()
    }

    fn memory(&self, batch: usize) -> MemorySource {
        let mut source = MemorySource::new(batch);
        for packet in &self.packets[0] {
            let (at, tap) = (Timestamp(START + packet.at), &self.net.taps[packet.tap].name);
            source = source.packet(at, tap, LinkType::ETHERNET, &packet.bytes);
        }
        source
    }
}

/// What came of a capture.
pub(crate) struct Ran {
    pub(crate) traces: Vec<Trace>,
    pub(crate) ndjson: String,
    /// What was found out about clocks.
    pub(crate) clocks: Vec<Alignment>,
}

/// Runs a capture with one thread and with four, and joins its spans anew; all must be the same.
/// Gives what is wrong.
pub(crate) fn run(capture: &Capture<'_>, faults: &mut Vec<String>) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let mut paths: Vec<PathBuf> = Vec::new();
    for (number, bytes) in capture.bytes().iter().enumerate() {
        // Names that are numbered would be those of one capture that was cut into files.
        paths.push(folder.path().join(format!("{}.pcapng", capture.file_name(number))));
        std::fs::write(&paths[number], bytes).unwrap();
    }
    let once = |threads: usize, batch: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut config = Config { threads, ..Config::default() };
        pool.install(|| survey(&paths, &mut config));
        let clocks = config.clocks.clone();
        let mut source: Box<dyn PacketSource + Send> = match paths.len() {
            1 if clocks.is_empty() => Box::new(capture.memory(batch)),
            _ => {
                let files = MergedSource::open_aligned(&paths, batch * 100, clocks.clone());
                Box::new(files.unwrap())
            }
        };
        let ran = pool.install(|| run_source(&mut *source, &config));
        Ran { clocks, ..ran }
    };
    let first = once(1, 1_000);
    let other = once(4, 7);
    if first.ndjson != other.ndjson {
        faults.push("other spans with four threads and small batches".to_owned());
    }
    let joined = join(&[&first.ndjson]);
    if first.ndjson != joined {
        let differ = first.ndjson.lines().zip(joined.lines()).find(|(a, b)| a != b);
        faults.push(format!("other traces from the spans that were written: {differ:?}"));
    }
    first
}

fn run_source(source: &mut dyn PacketSource, config: &Config) -> Ran {
    let protocols = config.protocol_names();
    let mut here = Here::default();
    let mut sink = Collected::default();
    let outcomes = pipeline::run(source, &mut here, config, &mut sink);
    assert!(outcomes.source_error.is_none() && outcomes.sink_error.is_none());
    let names = SourceNames::default();
    names.set_taps(here.taps);
    names.set_networks(here.networks);
    let ndjson = ndjson(&sink.0, protocols, names);
    Ran { traces: sink.0, ndjson, clocks: Vec::new() }
}

/// Joins spans that were written, and writes them again.
pub(crate) fn join(written: &[&str]) -> String {
    let (traces, spans) = join_to_traces(written);
    let names = SourceNames::default();
    names.set_taps(spans.taps().to_vec());
    names.set_networks(spans.networks());
    ndjson(&traces, spans.protocols().to_vec(), names)
}

/// Joins spans that were written.
pub(crate) fn join_to_traces(written: &[&str]) -> (Vec<Trace>, Spans) {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (number, text) in written.iter().enumerate() {
        paths.push(folder.path().join(number.to_string()));
        std::fs::write(&paths[number], text).unwrap();
    }
    let spans = Spans::read(&paths, Vec::new(), &Progress::default(), &mut |_| true).unwrap();
    let mut sink = Collected::default();
    let outcomes = spans.join(WindowLimits::default(), &mut sink, &mut |_| true);
    assert!(outcomes.source_error.is_none() && outcomes.sink_error.is_none());
    (sink.0, spans)
}

fn ndjson(traces: &[Trace], protocols: Vec<String>, names: SourceNames) -> String {
    let mut text = Vec::new();
    let ndjson = Ndjson { protocols, names };
    traces.iter().for_each(|trace| ndjson.trace(trace, &mut text));
    String::from_utf8(text).unwrap()
}

/// What must hold of all traces; clocks may be apart by so many nanoseconds.
pub(crate) fn check_traces(traces: &[Trace], apart: i64, faults: &mut Vec<String>) {
    let mut ids = BTreeSet::new();
    let mut numbers: BTreeMap<u128, usize> = BTreeMap::new();
    for trace in traces {
        if !trace.late {
            *numbers.entry(trace.id).or_default() += 1;
        }
        for (place, span) in trace.spans.iter().enumerate() {
            if span.id == 0 || !ids.insert(span.id) {
                faults.push(format!("the id {:016x} comes twice", span.id));
            }
            let Some(link) = &span.link else { continue };
            // Each parent stands before its children, so that there is no circle.
            if link.parent >= place {
                faults.push(format!("{:016x} stands before its parent", span.id));
                continue;
            }
            let parent = &trace.spans[link.parent];
            if !(0.0..=1.0).contains(&link.confidence) {
                faults.push(format!("{:016x} has a confidence of {}", span.id, link.confidence));
            }
            if parent.exchange.start().0 > span.exchange.end().0 + apart {
                faults.push(format!("{:016x} ends before its parent starts", span.id));
            }
            if link.runner_up == Some(parent.id) {
                faults.push(format!("{:016x} has a parent that is its own runner-up", span.id));
            }
        }
    }
    for (id, times) in numbers.into_iter().filter(|(_, times)| *times > 1) {
        faults.push(format!("{times} traces have the id {id:032x}"));
    }
}

/// Nothing but the names of taps and networks.
#[derive(Default)]
struct Here {
    taps: Vec<String>,
    networks: Vec<String>,
}

impl Surroundings for Here {
    fn filter(&mut self, _batch: &mut Batch) {}

    fn taps(&mut self, names: Vec<String>) {
        self.taps.extend(names);
    }

    fn networks(&mut self, names: Vec<String>) {
        self.networks.extend(names);
    }

    fn go_on(&mut self, _packets: u64) -> bool {
        true
    }
}

#[derive(Default)]
struct Collected(Vec<Trace>);

impl SpanSink for Collected {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.0.push(trace.clone());
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
