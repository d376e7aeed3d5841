//! Counts of verdicts, and the figures that follow from them.

use serde::Serialize;

/// What is said of the parent of an exchange, against the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has the parent that it truly has.
    Right,
    /// It has another one.
    Wrong,
    /// It has none, though there is one.
    Open,
    /// It has none, and there is none.
    RightRoot,
    /// It has one, though there is none.
    Invented,
    /// It was found, but nobody knows its parent.
    Unknown,
    /// It was not found, and has a parent.
    Missed,
    /// The same of one without a parent.
    MissedRoot,
    /// The same of one whose parent nobody knows.
    MissedUnknown,
}

/// A link that was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    /// In millionths.
    pub(super) confidence: u32,
    pub(super) ambiguous: bool,
}

/// Verdicts on some exchanges.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) exchanges: u64,
    pub(super) found: u64,
    /// Those that truly have a parent that is known.
    pub(super) edges: u64,
    pub(super) right: u64,
    pub(super) wrong: u64,
    pub(super) open: u64,
    pub(super) right_roots: u64,
    pub(super) invented: u64,
    pub(super) unknown: u64,
    ambiguous: u64,
    ambiguous_right: u64,
    bins: [Bin; BINS],
    /// At a confidence of 0.95 and of 0.8.
    sure: [Sure; 2],
    /// The sum of all squares of what confidence lacked.
    squares: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    links: u64,
    right: u64,
    /// The sum of their confidences, in millionths.
    confidence: u64,
}

/// Links that are at least so sure.
#[derive(Clone, Copy, Debug, Default)]
struct Sure {
    links: u64,
    right: u64,
    /// Those on exchanges that have a parent.
    on_edges: u64,
}

impl Tally {
    /// Counts an exchange, with the link that was made for it.
    pub(super) fn add(&mut self, verdict: Verdict, made: Option<Made>) {
        self.exchanges += 1;
        let missed = [Verdict::Missed, Verdict::MissedRoot, Verdict::MissedUnknown];
        self.found += u64::from(!missed.contains(&verdict));
        match verdict {
            Verdict::Right => self.right += 1,
            Verdict::Wrong => self.wrong += 1,
            Verdict::Open => self.open += 1,
            Verdict::RightRoot => self.right_roots += 1,
            Verdict::Invented => self.invented += 1,
            Verdict::Unknown | Verdict::MissedUnknown => self.unknown += 1,
            Verdict::Missed | Verdict::MissedRoot => {}
        }
        let edge = [Verdict::Right, Verdict::Wrong, Verdict::Open, Verdict::Missed];
        let is_edge = edge.contains(&verdict);
        self.edges += u64::from(is_edge);
        let judged = [Verdict::Right, Verdict::Wrong, Verdict::Invented].contains(&verdict);
        if let Some(made) = made.filter(|_| judged) {
            self.link(made, verdict == Verdict::Right, is_edge);
        }
    }

    fn link(&mut self, made: Made, is_right: bool, is_edge: bool) {
        let right = u64::from(is_right);
        if made.ambiguous {
            self.ambiguous += 1;
            self.ambiguous_right += right;
        }
        // The first is from 0 to 0.1, both included; of all others, the lower end is not.
        let bin = made.confidence.saturating_sub(1) / (MILLION / BINS as u32);
        if let Some(bin) = self.bins.get_mut(bin as usize) {
            bin.links += 1;
            bin.right += right;
            bin.confidence += u64::from(made.confidence);
        }
        for (sure, least) in self.sure.iter_mut().zip(SURE) {
            if made.confidence >= least {
                sure.links += 1;
                sure.right += right;
                sure.on_edges += u64::from(is_edge);
            }
        }
        let confidence = f64::from(made.confidence) / f64::from(MILLION);
        let lacks = if is_right { 1.0 - confidence } else { confidence };
        self.squares += lacks * lacks;
    }

    /// Links that were made and are judged.
    pub(super) fn links(&self) -> u64 {
        self.right + self.wrong + self.invented
    }

    /// The figures.
    pub(super) fn figures(&self) -> Figures {
        let links = self.links();
        let [at_95, at_80] = self.sure;
        let judged = links + self.open + self.right_roots;
        let calibrated = |sum: f64| (links > 0).then(|| rounded(sum / links as f64));
        // Naeini et al. 2015: how far confidence is from what was right, over the bins.
        let gaps = self
            .bins
            .iter()
            .map(|bin| (bin.right as f64 - bin.confidence as f64 / f64::from(MILLION)).abs());
        Figures {
            exchanges: self.exchanges,
            found: self.found,
            edges: self.edges,
            right: self.right,
            wrong: self.wrong,
            open: self.open,
            right_roots: self.right_roots,
            invented: self.invented,
            unknown: self.unknown,
            links,
            ambiguous: self.ambiguous,
            ambiguous_right: self.ambiguous_right,
            right_parents: share(self.right + self.right_roots, judged),
            right_edges: share(self.right, self.edges),
            precision: share(self.right, links),
            precision_95: share(at_95.right, at_95.links),
            coverage_95: share(at_95.on_edges, self.edges),
            precision_80: share(at_80.right, at_80.links),
            coverage_80: share(at_80.on_edges, self.edges),
            calibration_error: calibrated(gaps.sum()),
            brier: calibrated(self.squares),
        }
    }

    /// The bins that hold links.
    pub(super) fn bins(&self) -> Vec<BinFigures> {
        let bins = self.bins.iter().zip(1_u32..);
        let bins = bins.filter(|(bin, _)| bin.links > 0).map(|(bin, number)| BinFigures {
            up_to: f64::from(number) / BINS as f64,
            links: bin.links,
            right: bin.right,
            confidence: rounded(bin.confidence as f64 / f64::from(MILLION) / bin.links as f64),
        });
        bins.collect()
    }
}

/// Counts and figures; a share of nothing is `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Exchanges in the truth.
    pub exchanges: u64,
    /// Those that were found.
    pub found: u64,
    /// Those with a parent that is known, found or not.
    pub edges: u64,
    /// Those found under their parent.
    pub right: u64,
    /// Those found under another one.
    pub wrong: u64,
    /// Those found under nothing, though they have a parent.
    pub open: u64,
    /// Those found under nothing, which have no parent.
    pub right_roots: u64,
    /// Those found under something, though they have no parent.
    pub invented: u64,
    /// Those whose parent nobody knows; they are not judged.
    pub unknown: u64,
    /// Links that were made and are judged: right, wrong and invented.
    pub links: u64,
    /// Those that are said to be ambiguous.
    pub ambiguous: u64,
    /// Those of them that are right.
    pub ambiguous_right: u64,
    /// The share of all that were found and are judged that have the parent that they have, or have
    /// none.
    pub right_parents: Option<f64>,
    /// The share of all edges that were found under their parent.
    pub right_edges: Option<f64>,
    /// The share of links that are right.
    pub precision: Option<f64>,
    /// The same of those with a confidence of at least 0.95.
    pub precision_95: Option<f64>,
    /// The share of all edges that have such a link, right or wrong.
    pub coverage_95: Option<f64>,
    /// Precision at 0.8.
    pub precision_80: Option<f64>,
    /// Coverage at 0.8.
    pub coverage_80: Option<f64>,
    /// Expected calibration error in ten bins.
    pub calibration_error: Option<f64>,
    /// Brier score.
    pub brier: Option<f64>,
}

/// Links of about one confidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BinFigures {
    /// The highest confidence in it; it goes down to the one below.
    pub up_to: f64,
    /// How many there are.
    pub links: u64,
    /// How many of them are right.
    pub right: u64,
    /// Their mean confidence.
    pub confidence: f64,
}

/// A share to six digits; none of nothing.
pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| {
        // What is not all is never shown as all.
        let most = if part < whole { 0.999_999 } else { 1.0 };
        rounded(part as f64 / whole as f64).min(most)
    })
}

fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

const BINS: usize = 10;
const MILLION: u32 = 1_000_000;
/// Confidences at which precision is told, in millionths.
const SURE: [u32; 2] = [950_000, 800_000];

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(links: &[(Verdict, u32)]) -> Tally {
        let mut tally = Tally::default();
        for (verdict, confidence) in links {
            tally.add(*verdict, Some(Made { confidence: *confidence, ambiguous: false }));
        }
        tally
    }

    #[test]
    fn calibration_is_that_of_the_papers() {
        // Two bins: 4 of 0.9, 3 of them right; 1 of 0.6 that is wrong.
        let links = [
            (Verdict::Right, 900_000),
            (Verdict::Right, 900_000),
            (Verdict::Right, 900_000),
            (Verdict::Wrong, 900_000),
            (Verdict::Invented, 600_000),
        ];
        let figures = tally(&links).figures();
        // (4 × |0.75 - 0.9| + 1 × |0 - 0.6|) / 5
        assert_eq!(figures.calibration_error, Some(0.24));
        // (3 × 0.01 + 0.81 + 0.36) / 5
        assert_eq!(figures.brier, Some(0.24));
        assert_eq!((figures.precision_80, figures.precision_95), (Some(0.75), None));
        assert_eq!((figures.coverage_80, figures.coverage_95), (Some(1.0), Some(0.0)));
    }

    #[test]
    fn bins_include_their_upper_end() {
        for (confidence, up_to) in [
            (0, 0.1),
            (100_000, 0.1),
            (100_001, 0.2),
            (900_000, 0.9),
            (950_000, 1.0),
            (1_000_000, 1.0),
        ] {
            let bins = tally(&[(Verdict::Right, confidence)]).bins();
            assert_eq!(bins.first().map(|bin| bin.up_to), Some(up_to), "{confidence}");
        }
    }

    #[test]
    fn nothing_has_no_share_and_less_than_all_is_never_all() {
        let shares = [(0, 0), (0, 1), (1, 3), (9_999_999, 10_000_000), (7, 7)];
        let shares = shares.map(|(part, whole)| share(part, whole));
        assert_eq!(shares, [None, Some(0.0), Some(0.333_333), Some(0.999_999), Some(1.0)]);
    }

    #[test]
    fn what_nobody_knows_is_counted_and_not_judged() {
        let figures = tally(&[(Verdict::Unknown, 900_000), (Verdict::MissedUnknown, 0)]).figures();
        assert_eq!((figures.unknown, figures.links, figures.found), (2, 0, 1));
        assert_eq!((figures.right_parents, figures.brier), (None, None));
    }
}
