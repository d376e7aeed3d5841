//! Compares what was found with what truly happened, and counts.

use super::EvaluateError;
use super::chains::{Chains, Claim, Found, Rows};
use super::faults::{Faults, Kind, Looking};
use super::labels::{Label, small};
use super::matching::{Matching, is_operation};
use super::spans::{Outcome, Spans, Status};
use super::tally::{BinFigures, Figures, Made, Tally, Verdict, share};
use super::truth::{Parent, Row, Truth};
use hashbrown::HashMap;
use serde::Serialize;
use std::collections::BTreeMap;

/// All figures. `tracer/docs/evaluate.md` says what each of them means.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The version of this schema; it grows when a field changes its meaning or goes.
    pub schema: u32,
    /// The shares that may have a floor, by name.
    pub measures: BTreeMap<&'static str, Option<f64>>,
    /// What was found of what there was.
    pub exchanges: Exchanges,
    /// Exchanges at their capture points.
    pub points: Points,
    /// Parents, of all exchanges.
    pub parents: Figures,
    /// How often links were right, by their confidence.
    pub bins: Vec<BinFigures>,
    /// Whole traces.
    pub traces: Traces,
    /// Parents by who was asked, most exchanges first.
    pub services: Vec<Group>,
    /// Parents by what the packets say of them.
    pub evidence: Vec<Group>,
    /// Parents by the reason of the link, most exchanges first.
    pub reasons: Vec<Group>,
    /// What is wrong, the first of each kind.
    pub faults: Faults,
}

/// What was found of what there was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Exchanges {
    /// Exchanges in the truth.
    pub truth: u64,
    /// Those that were found.
    pub found: u64,
    /// Those that were not.
    pub missed: u64,
    /// Found exchanges that the truth does not have, by sort.
    pub others: BTreeMap<String, u64>,
    /// Spans that were read.
    pub spans: u64,
    /// Exchanges found with another operation than they had.
    pub other_operation: u64,
    /// Exchanges found with another status than they had.
    pub other_status: u64,
}

/// Exchanges at their capture points.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Points {
    /// Sightings in the truth: each exchange at each point.
    pub truth: u64,
    /// Those that were found.
    pub found: u64,
    /// Exchanges found at several points, of which the order is right.
    pub right_order: u64,
    /// Those of which it is wrong.
    pub wrong_order: u64,
    /// Those that are several exchanges in the spans.
    pub parted: u64,
    /// Exchanges in the spans that are several in truth.
    pub mixed: u64,
}

/// Whole traces.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Traces {
    /// Traces in the truth, those apart of which nobody knows the root.
    pub truth: u64,
    /// Those of which each exchange was found and has the right parent.
    pub right: u64,
    /// Traces of more than one exchange.
    pub of_several: u64,
    /// Those of them that are right.
    pub right_of_several: u64,
    /// The share of these.
    pub right_share: Option<f64>,
    /// Traces in the spans that hold an exchange of the truth.
    pub found: u64,
    /// Those of them that hold exchanges of several true traces.
    pub merged: u64,
    /// The true traces in these.
    pub merged_from: u64,
    /// True traces that lie in several of the spans' traces.
    pub parted: u64,
}

/// Figures of some exchanges.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// What they have in common.
    pub name: String,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A share that must not fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Exchanges that were found.
    Found,
    /// Exchanges with the right parent, or rightly without one.
    Right,
    /// Edges of which the child was found under its parent.
    Edges,
    /// Traces of several exchanges that are right as a whole.
    Traces,
    /// Links that are right.
    Precision,
    /// Those of a confidence of at least 0.95.
    Precision95,
    /// Edges that have such a link.
    Coverage95,
    /// Precision at 0.8.
    Precision80,
    /// Coverage at 0.8.
    Coverage80,
    /// Traces in the spans that hold exchanges of one true trace only.
    Unmerged,
    /// Exchanges at several points that are one, in the right order.
    Order,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Found,
        Self::Right,
        Self::Edges,
        Self::Traces,
        Self::Precision,
        Self::Precision95,
        Self::Coverage95,
        Self::Precision80,
        Self::Coverage80,
        Self::Unmerged,
        Self::Order,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Right => "right",
            Self::Edges => "edges",
            Self::Traces => "traces",
            Self::Precision => "precision",
            Self::Precision95 => "precision-95",
            Self::Coverage95 => "coverage-95",
            Self::Precision80 => "precision-80",
            Self::Coverage80 => "coverage-80",
            Self::Unmerged => "unmerged",
            Self::Order => "order",
        }
    }

    /// Its value; none where there is nothing of the kind.
    pub fn of(self, report: &Report) -> Option<f64> {
        let Report { exchanges, points, parents, traces, .. } = report;
        match self {
            Self::Found => share(exchanges.found, exchanges.truth),
            Self::Right => parents.right_parents,
            Self::Edges => parents.right_edges,
            Self::Traces => traces.right_share,
            Self::Precision => parents.precision,
            Self::Precision95 => parents.precision_95,
            Self::Coverage95 => parents.coverage_95,
            Self::Precision80 => parents.precision_80,
            Self::Coverage80 => parents.coverage_80,
            Self::Unmerged => share(traces.found - traces.merged, traces.found),
            Self::Order => {
                let all = points.right_order + points.wrong_order + points.parted;
                share(points.right_order, all)
            }
        }
    }
}

/// Compares spans with the truth. Of each kind of fault, so many are told one by one.
///
/// # Errors
/// That there are no spans, or none of them is an exchange of the truth.
pub fn evaluate(truth: &Truth, spans: &Spans, told: usize) -> Result<Report, EvaluateError> {
    if spans.all.is_empty() {
        let (file, exchanges) = (truth.name.clone(), truth.rows.len());
        return Err(EvaluateError::NoSpans { file, exchanges });
    }
    let matching = Matching::of(truth, spans);
    let chains = Chains::of(truth, spans, &matching);
    let looking = Looking::new(truth, spans, &matching);
    if matching.span_of.iter().all(Option::is_none) {
        return Err(EvaluateError::NothingMatches {
            file: truth.name.clone(),
            expected: looking.first_row(),
            found: looking.first_span(),
        });
    }
    let mut score = Score {
        truth,
        spans,
        chains: &chains,
        looking: &looking,
        faults: Faults::new(told),
        all: Tally::default(),
        services: HashMap::new(),
        evidence: HashMap::new(),
        reasons: HashMap::new(),
        points: Points { truth: truth.sightings.len() as u64, ..Points::default() },
        other_operation: 0,
        other_status: 0,
        right: Vec::with_capacity(truth.rows.len()),
    };
    for (place, row) in truth.rows.iter().enumerate() {
        score.row(small(place), row);
    }
    let others = score.others();
    let traces = score.traces();
    Ok(score.report(others, traces))
}

struct Score<'a> {
    truth: &'a Truth,
    spans: &'a Spans,
    chains: &'a Chains<'a>,
    looking: &'a Looking<'a>,
    faults: Faults,
    all: Tally,
    services: HashMap<Label, Tally>,
    evidence: HashMap<Evidence, Tally>,
    reasons: HashMap<Why, Tally>,
    points: Points,
    other_operation: u64,
    other_status: u64,
    /// Whether each row has the right parent.
    right: Vec<bool>,
}

/// What the packets say of a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Evidence {
    Told(Label),
    NotTold,
    Root,
    Unknown,
}

/// Why an exchange hangs where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Why {
    Reason(Label),
    NoLink,
    NotFound,
}

impl Score<'_> {
    fn row(&mut self, place: u32, row: &Row) {
        let found = self.chains.found(row);
        self.points.found += found.spans.len() as u64;
        let outermost = found.spans.first().map(|(span, ..)| *span);
        let claim = outermost.and_then(|span| self.chains.claim(span, place));
        let verdict = verdict(row.parent, outermost.is_some(), claim);
        let made = claim.map(|Claim { link, .. }| Made {
            confidence: link.confidence,
            ambiguous: link.ambiguous,
        });
        let evidence = match (row.parent, row.evidence) {
            (Parent::Root, _) => Evidence::Root,
            (Parent::Unknown, _) => Evidence::Unknown,
            (Parent::Row(_), Some(name)) => Evidence::Told(name),
            (Parent::Row(_), None) => Evidence::NotTold,
        };
        let why = match (outermost, claim) {
            (None, _) => Why::NotFound,
            (Some(_), None) => Why::NoLink,
            (Some(_), Some(claim)) => Why::Reason(claim.link.reason),
        };
        self.all.add(verdict, made);
        self.services.entry(row.service).or_default().add(verdict, made);
        self.evidence.entry(evidence).or_default().add(verdict, made);
        self.reasons.entry(why).or_default().add(verdict, made);
        self.right.push([Verdict::Right, Verdict::RightRoot].contains(&verdict));
        let kind = match verdict {
            Verdict::Wrong => Some(Kind::WrongParent),
            Verdict::Invented => Some(Kind::InventedParent),
            Verdict::Open => Some(Kind::NoParent),
            Verdict::Missed | Verdict::MissedRoot | Verdict::MissedUnknown => Some(Kind::NotFound),
            Verdict::Right | Verdict::RightRoot | Verdict::Unknown => None,
        };
        if let Some(kind) = kind {
            self.faults.add(kind, || self.looking.row(kind, place, outermost, claim));
        }
        self.order(place, &found);
        self.compare(place, row, &found);
    }

    /// Looks at an exchange that was found at several points.
    fn order(&mut self, place: u32, found: &Found) {
        let [first, .., last] = found.spans.as_slice() else { return };
        let is_one = found.spans.iter().all(|(_, top, _)| *top == first.1);
        let is_sorted = found.spans.is_sorted_by(|(_, _, a), (_, _, b)| a < b);
        let kind = match (is_one, is_sorted) {
            (true, true) => {
                self.points.right_order += 1;
                return;
            }
            (true, false) => {
                self.points.wrong_order += 1;
                Kind::WrongOrder
            }
            (false, _) => {
                self.points.parted += 1;
                Kind::Parted
            }
        };
        // Those two tell it best that are not as they should be.
        let pairs = found.spans.iter().zip(found.spans.iter().skip(1));
        let wrong = pairs.filter(|(a, b)| a.1 != b.1 || a.2 >= b.2).map(|(a, b)| (a.0, b.0)).next();
        let (one, other) = wrong.unwrap_or((first.0, last.0));
        self.faults.add(kind, || self.looking.two_points(place, one, other));
    }

    /// Looks at what was asked and what came of it: at one point is enough, as others may lack it.
    fn compare(&mut self, place: u32, row: &Row, found: &Found) {
        let Some((first, ..)) = found.spans.first() else { return };
        let seen = || found.spans.iter().filter_map(|(span, ..)| self.chains.span(*span));
        let text = |label| self.spans.labels.text(label);
        let is_other =
            !row.operation.is_empty() && !seen().any(|one| is_operation(&row.operation, &one.what));
        let status_is_other =
            !row.status.is_empty() && !seen().any(|one| is_status(&row.status, one.status, text));
        for (kind, is_other, count) in [
            (Kind::OtherOperation, is_other, &mut self.other_operation),
            (Kind::OtherStatus, status_is_other, &mut self.other_status),
        ] {
            if is_other {
                *count += 1;
                self.faults.add(kind, || self.looking.other(place, *first));
            }
        }
    }

    /// Counts what the truth does not have, and what it has apart.
    fn others(&mut self) -> BTreeMap<String, u64> {
        let mut others: BTreeMap<String, u64> = BTreeMap::new();
        for top in self.chains.all_tops() {
            match self.chains.rows_of(top) {
                Rows::One(_) => {}
                Rows::Several => {
                    self.points.mixed += 1;
                    self.faults.add(Kind::Mixed, || {
                        let mut all = (0..small(self.spans.all.len()))
                            .filter(|span| self.chains.top(*span) == top)
                            .filter(|span| self.chains.row_of(*span).is_some());
                        let first = all.next().unwrap_or(top);
                        let row = self.chains.row_of(first);
                        let other = all.find(|span| self.chains.row_of(*span) != row);
                        self.looking.two_exchanges(first, other)
                    });
                }
                Rows::None => {
                    let sort = self.chains.span(top).map(|span| self.spans.labels.text(span.sort));
                    let sort = sort.filter(|sort| !sort.is_empty()).unwrap_or("unknown");
                    *others.entry(sort.to_owned()).or_default() += 1;
                    self.faults.add(Kind::NotInTruth, || self.looking.span(top));
                }
            }
        }
        others
    }

    fn traces(&self) -> Traces {
        // For each row at the top of a trace, its exchanges and those that are right.
        let mut of_root: HashMap<u32, (u64, u64)> = HashMap::new();
        for (row, right) in self.truth.rows.iter().zip(&self.right) {
            if let Some(root) = row.trace {
                let (all, good) = of_root.entry(root).or_default();
                *all += 1;
                *good += u64::from(*right);
            }
        }
        let mut traces = Traces { truth: of_root.len() as u64, ..Traces::default() };
        for root in 0..small(self.truth.rows.len()) {
            let Some((all, good)) = of_root.get(&root) else { continue };
            traces.right += u64::from(all == good);
            traces.of_several += u64::from(*all > 1);
            traces.right_of_several += u64::from(*all > 1 && all == good);
        }
        traces.right_share = share(traces.right_of_several, traces.of_several);
        // Which trace of the spans holds something of which true trace.
        let mut pairs: Vec<(u32, Option<u32>)> = Vec::new();
        for (place, span) in self.spans.all.iter().enumerate() {
            if let Some(row) = self.chains.row_of(small(place)).and_then(|row| self.chains.row(row))
            {
                pairs.push((span.trace, row.trace));
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        let mut merged: Vec<u32> = Vec::new();
        for same in pairs.chunk_by(|a, b| a.0 == b.0) {
            traces.found += 1;
            let known: Vec<u32> = same.iter().filter_map(|(_, root)| *root).collect();
            if known.len() > 1 {
                traces.merged += 1;
                merged.extend(known);
            }
        }
        merged.sort_unstable();
        merged.dedup();
        traces.merged_from = merged.len() as u64;
        let mut roots: Vec<u32> = pairs.iter().filter_map(|(_, root)| *root).collect();
        roots.sort_unstable();
        traces.parted = roots.chunk_by(|a, b| a == b).filter(|same| same.len() > 1).count() as u64;
        traces
    }

    fn report(self, others: BTreeMap<String, u64>, traces: Traces) -> Report {
        let (truth, spans) = (self.truth, self.spans);
        let group =
            |name: &str, tally: &Tally| Group { name: name.to_owned(), figures: tally.figures() };
        let by_size = |groups: &mut Vec<Group>| {
            groups.sort_by(|a, b| {
                let size = b.figures.exchanges.cmp(&a.figures.exchanges);
                size.then_with(|| a.name.cmp(&b.name))
            });
        };
        let services = self.services.iter();
        let mut services: Vec<Group> =
            services.map(|(name, tally)| group(truth.labels.text(*name), tally)).collect();
        by_size(&mut services);
        let reasons = self.reasons.iter().map(|(why, tally)| {
            let name = match why {
                Why::Reason(reason) => spans.labels.text(*reason),
                Why::NoLink => "no link",
                Why::NotFound => "not found",
            };
            group(name, tally)
        });
        let mut reasons: Vec<Group> = reasons.collect();
        by_size(&mut reasons);
        let evidence = self.evidence.iter().map(|(evidence, tally)| {
            let name = match evidence {
                Evidence::Told(name) => truth.labels.text(*name),
                Evidence::NotTold => "not told",
                Evidence::Root => "no parent",
                Evidence::Unknown => "unknown parent",
            };
            group(name, tally)
        });
        let mut evidence: Vec<Group> = evidence.collect();
        let place = |name: &str| EVIDENCE.iter().position(|known| *known == name);
        evidence.sort_by(|a, b| {
            let [one, other] = [a, b].map(|group| place(&group.name).unwrap_or(EVIDENCE.len()));
            one.cmp(&other).then_with(|| a.name.cmp(&b.name))
        });
        let parents = self.all.figures();
        let mut report = Report {
            schema: SCHEMA,
            measures: BTreeMap::new(),
            exchanges: Exchanges {
                truth: parents.exchanges,
                found: parents.found,
                missed: parents.exchanges - parents.found,
                others,
                spans: spans.all.len() as u64,
                other_operation: self.other_operation,
                other_status: self.other_status,
            },
            points: self.points,
            bins: self.all.bins(),
            parents,
            traces,
            services,
            evidence,
            reasons,
            faults: self.faults,
        };
        report.measures =
            Measure::ALL.into_iter().map(|one| (one.name(), one.of(&report))).collect();
        report
    }
}

fn verdict(parent: Parent, is_found: bool, claim: Option<Claim>) -> Verdict {
    match (parent, is_found, claim) {
        (Parent::Root, false, _) => Verdict::MissedRoot,
        (Parent::Unknown, false, _) => Verdict::MissedUnknown,
        (Parent::Row(_), false, _) => Verdict::Missed,
        (Parent::Unknown, true, _) => Verdict::Unknown,
        (Parent::Root, true, None) => Verdict::RightRoot,
        (Parent::Root, true, Some(_)) => Verdict::Invented,
        (Parent::Row(_), true, None) => Verdict::Open,
        (Parent::Row(row), true, Some(claim)) if claim.row == Some(row) => Verdict::Right,
        (Parent::Row(_), true, Some(_)) => Verdict::Wrong,
    }
}

/// Whether a status of the truth, a code or a word, is what a span says.
fn is_status<'t>(truth: &str, seen: Status, text: impl Fn(Label) -> &'t str) -> bool {
    match truth {
        "none" => !seen.complete,
        // Nobody answers such a message.
        "sent" => seen.complete && seen.outcome == Outcome::Unknown,
        "ok" => seen.complete && seen.outcome != Outcome::Error,
        "error" => seen.complete && seen.outcome == Outcome::Error,
        code => {
            let is_code = code.parse() == Ok(seen.code);
            is_code || seen.text.is_some_and(|own| text(own).eq_ignore_ascii_case(code))
        }
    }
}

/// The version of the report.
const SCHEMA: u32 = 1;
/// What the packets may say of a parent, from the surest on.
const EVIDENCE: [&str; 7] =
    ["ids", "one candidate", "content", "none", "not told", "no parent", "unknown parent"];
