//! How far two clocks are apart, and how that changes: from differences of times at which both have
//! seen the same thing happen, on its way from the one place to the other and back.
//!
//! What passes the first place first can be told there only earlier than at the second, so that the
//! second clock is ahead by no more than the difference of the two times: an upper bound. What
//! passes the second first gives a lower bound. A line between all lower and all upper bounds is
//! how the clocks may run; the one farthest from both is the estimate, and the room that all others
//! have is its uncertainty. This holds however unlike the two ways are, as nothing is said of how
//! long anything takes but that it is not less than nothing. With the hulls of the bounds it is
//! what Moon, Skelly and Towsley do (<https://doi.org/10.1109/INFCOM.1999.749286>), in both
//! directions.
//!
//! ```text
//!  difference │  ▿   ▿     ▿   ▿      upper bounds: longer ways give higher ones
//!             │    ▿  ▿▁▁▁▁▁▁▁▁▿▁▁▁
//!             │▔▔▔▔▔▔▔▔▔▔▔▔           the line in the middle of the room
//!             │ ▵ ▵ ▵ ▔▔▔▔▵▔▔▔▔▔▔▔
//!             │ ▵      ▵     ▵  ▵      lower bounds
//!             └────────────────────▶ time
//! ```

/// That something passed two places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sighting {
    /// When, by the first clock, in nanoseconds since some moment.
    pub at: f64,
    /// By how many nanoseconds the second clock showed more.
    pub difference: f64,
    /// Whether it passed the first place first.
    pub onwards: bool,
}

impl Sighting {
    /// The same from the other clock.
    #[must_use]
    pub fn turned(self) -> Self {
        let Self { at, difference, onwards } = self;
        Self { at: at + difference, difference: -difference, onwards: !onwards }
    }
}

/// How one clock runs against another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// The first sighting, from which the drift counts, by the first clock as in [`Sighting::at`].
    pub since: f64,
    /// The last one.
    pub until: f64,
    /// By how many nanoseconds the second clock is ahead then.
    pub ahead: f64,
    /// By how much of itself its time goes faster; a millionth is 1e-6.
    pub drift: f64,
    /// How far the bounds are apart: no way to and fro takes less. Less than nothing where only
    /// coarse times make them fit.
    pub room: f64,
    /// Nanoseconds by which `ahead` may be wrong, at any time between the sightings.
    pub ahead_error: f64,
    /// By how much the drift may be wrong.
    pub drift_error: f64,
    /// Sightings that it is made of.
    pub sightings: usize,
    /// Sightings that contradict the others, and were left aside.
    pub aside: usize,
}

impl Line {
    /// That clocks are the same, as one is with itself, told of this moment.
    pub fn still(since: f64) -> Self {
        Self {
            since,
            until: since,
            ahead: 0.0,
            drift: 0.0,
            room: 0.0,
            ahead_error: 0.0,
            drift_error: 0.0,
            sightings: usize::MAX,
            aside: 0,
        }
    }

    /// About how far two clocks are apart by sightings that do not bound it on both sides: nothing
    /// takes longer than so many nanoseconds.
    pub fn near(sightings: &[Sighting], longest: f64) -> Option<Self> {
        let mut differences: Vec<f64> = sightings.iter().map(|one| one.difference).collect();
        differences.sort_by(f64::total_cmp);
        let ahead = *differences.get(differences.len() / 2)?;
        let at = sightings.iter().map(|one| one.at);
        Some(Self {
            since: at.clone().reduce(f64::min)?,
            until: at.reduce(f64::max)?,
            ahead,
            drift: 0.0,
            room: 2.0 * longest,
            ahead_error: longest,
            drift_error: FASTEST,
            sightings: sightings.len(),
            aside: 0,
        })
    }

    /// The line on which all these sightings can lie; none where they bound it on one side only, or
    /// contradict each other.
    pub fn through(sightings: &[Sighting]) -> Option<Self> {
        let since = sightings.iter().map(|one| one.at).reduce(f64::min)?;
        let until = sightings.iter().map(|one| one.at).reduce(f64::max)?;
        let base = sightings.first()?.difference;
        let bounds = |onwards: bool| -> Vec<Bound> {
            let these = sightings.iter().filter(|one| one.onwards == onwards);
            let bound = |one: &Sighting| Bound { at: one.at - since, value: one.difference - base };
            let mut bounds: Vec<Bound> = these.map(bound).collect();
            bounds.sort_by(|a, b| a.at.total_cmp(&b.at).then(a.value.total_cmp(&b.value)));
            bounds
        };
        let (mut upper, mut lower) = (bounds(true), bounds(false));
        if upper.is_empty() || lower.is_empty() {
            return None;
        }
        let most_aside = sightings.len() / ASIDE + 1;
        let mut aside = 0;
        let mut room = Room::between(&upper, &lower)?;
        while room.margin(room.best_drift()) + LATE < 0.0 {
            if aside >= most_aside {
                return None;
            }
            // One of the two that contradict each other is wrong, and nothing says which. Where
            // many do, there are so many that a few of them more make no difference.
            let drift = room.best_drift();
            let count = 1 + aside / AT_ONCE;
            aside += take_tightest(&mut upper, count, |bound| bound.value - drift * bound.at);
            aside += take_tightest(&mut lower, count, |bound| drift * bound.at - bound.value);
            room = Room::between(&upper, &lower)?;
        }
        let widest = room.margin(room.best_drift());
        // Where they contradict each other, stamps are late by chance, and any may be.
        let (least, most) = room.drifts((-2.0 * STAMPS).min(2.0 * widest - 2.0 * STAMPS));
        let drift = room.least_drift();
        let ahead = room.middle(drift);
        let span = until - since;
        let late = if widest < LATE { way(sightings, drift, since).clamp(0.0, LATE) } else { 0.0 };
        let error_at = |at: f64| {
            (0..=STEPS).fold(0.0_f64, |error, step| {
                let other = least + (most - least) * f64::from(step) / f64::from(STEPS);
                let (low, high) = room.range(other, at);
                let line = ahead + drift * at;
                error.max(high - line).max(line - low)
            }) + late
        };
        let ahead_error = [0.0, span / 2.0, span].map(error_at).into_iter().fold(0.0, f64::max);
        Some(Self {
            since,
            until,
            ahead: ahead + base,
            drift,
            room: room.margin(drift),
            ahead_error,
            drift_error: (most - drift).max(drift - least),
            sightings: sightings.len() - aside,
            aside,
        })
    }

    /// By how many nanoseconds the second clock is ahead, at this time by the first.
    pub fn at(&self, at: f64) -> f64 {
        self.ahead + self.drift * (at - self.since)
    }

    /// The same seen from the second clock.
    pub fn reverse(&self) -> Self {
        Self {
            since: self.since + self.ahead,
            until: self.until + self.at(self.until),
            ahead: -self.ahead,
            drift: 1.0 / (1.0 + self.drift) - 1.0,
            ..*self
        }
    }

    /// How a third clock runs against the first, given how it runs against the second. All is told
    /// of the moment from which this line counts.
    pub fn then(&self, next: &Self) -> Self {
        let second = self.since + self.ahead;
        // Outside of the time of what says so, it gets less sure.
        let outside = (next.since - second).max(second - next.until).max(0.0);
        Self {
            since: self.since,
            until: self.until,
            ahead: self.ahead + next.at(second),
            drift: self.drift + next.drift + self.drift * next.drift,
            room: self.room + next.room,
            ahead_error: self.ahead_error + next.ahead_error + outside * next.drift_error,
            drift_error: self.drift_error + next.drift_error,
            sightings: self.sightings.min(next.sightings),
            aside: self.aside + next.aside,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Bound {
    at: f64,
    value: f64,
}

/// The room between upper and lower bounds.
#[derive(Debug)]
struct Room {
    upper: Vec<Bound>,
    lower: Vec<Bound>,
}

impl Room {
    /// The room between these, each in order of time.
    fn between(upper: &[Bound], lower: &[Bound]) -> Option<Self> {
        let mirror = |bound: Bound| Bound { value: -bound.value, ..bound };
        let mut below = under(lower.iter().rev().copied().map(mirror));
        below.iter_mut().for_each(|bound| *bound = mirror(*bound));
        let room = Self { upper: under(upper.iter().copied()), lower: below };
        (!room.upper.is_empty() && !room.lower.is_empty()).then_some(room)
    }

    /// Where a line of this drift lies at time zero, at the most and at the least.
    fn ends(&self, drift: f64) -> (f64, f64) {
        let value = |bound: &Bound| bound.value - drift * bound.at;
        let high = self.upper.iter().map(value).fold(f64::INFINITY, f64::min);
        let low = self.lower.iter().map(value).fold(f64::NEG_INFINITY, f64::max);
        (low, high)
    }

    /// How far the bounds are apart for a line of this drift; negative where none fits.
    fn margin(&self, drift: f64) -> f64 {
        let (low, high) = self.ends(drift);
        high - low
    }

    fn middle(&self, drift: f64) -> f64 {
        let (low, high) = self.ends(drift);
        f64::midpoint(low, high)
    }

    /// Where a line of this drift may lie at some time, given how coarsely times are told.
    fn range(&self, drift: f64, at: f64) -> (f64, f64) {
        let (low, high) = self.ends(drift);
        (low.min(high) + drift * at - STAMPS, high.max(low) + drift * at + STAMPS)
    }

    /// The drift for which the bounds are farthest apart. The margin is a concave function of it.
    fn best_drift(&self) -> f64 {
        let (mut low, mut high) = (-FASTEST, FASTEST);
        for _ in 0..SEARCH {
            let third = (high - low) / 3.0;
            let (left, right) = (low + third, high - third);
            if self.margin(left) < self.margin(right) {
                low = left;
            } else {
                high = right;
            }
        }
        f64::midpoint(low, high)
    }

    /// The drift nearest to none of those for which the bounds are nearly as far apart as they can
    /// be: a drift that nothing speaks for is none.
    fn least_drift(&self) -> f64 {
        let widest = self.margin(self.best_drift());
        let (least, most) = self.drifts(widest - (widest.abs() / NEARLY).max(FINE));
        0.0_f64.clamp(least.min(most), most)
    }

    /// The least and the greatest drift of a line for which the bounds are as far apart as this.
    fn drifts(&self, margin: f64) -> (f64, f64) {
        let best = self.best_drift();
        let fits = |drift: f64| self.margin(drift) >= margin;
        let edge = |mut outside: f64| {
            if fits(outside) {
                return outside;
            }
            let mut inside = best;
            for _ in 0..SEARCH {
                let middle = f64::midpoint(inside, outside);
                if fits(middle) {
                    inside = middle;
                } else {
                    outside = middle;
                }
            }
            inside
        };
        (edge(-FASTEST), edge(FASTEST))
    }
}

/// The lower convex hull of what comes in order of time, from either end.
fn under(bounds: impl Iterator<Item = Bound>) -> Vec<Bound> {
    let mut hull: Vec<Bound> = Vec::new();
    for bound in bounds {
        match hull.last() {
            // Of several at one time, the least one counts.
            Some(last) if last.at == bound.at && last.value <= bound.value => continue,
            Some(last) if last.at == bound.at => drop(hull.pop()),
            _ => {}
        }
        while let [.., a, b] = hull.as_slice() {
            let (to_b, to_next) = ((b.at - a.at).abs(), (bound.at - a.at).abs());
            if to_b * (bound.value - a.value) - to_next * (b.value - a.value) > 0.0 {
                break;
            }
            hull.pop();
        }
        hull.push(bound);
    }
    hull
}

/// How many nanoseconds the way between two clocks mostly takes: stamps that are late by chance at
/// the second one move what goes there and what comes back alike, by no more than that and by what
/// bounds contradict each other.
fn way(sightings: &[Sighting], drift: f64, since: f64) -> f64 {
    let middle = |onwards: bool| {
        let these = sightings.iter().filter(|one| one.onwards == onwards);
        let mut all: Vec<f64> =
            these.map(|one| one.difference - drift * (one.at - since)).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    (middle(true) - middle(false)) / 2.0
}

/// Takes away so many bounds with the least values, of which some are left; gives how many that
/// were.
fn take_tightest(bounds: &mut Vec<Bound>, count: usize, value: impl Fn(&Bound) -> f64) -> usize {
    let mut places: Vec<(f64, usize)> = bounds.iter().map(value).zip(0..).collect();
    let count = count.min(places.len().saturating_sub(1));
    if count == 0 {
        return 0;
    }
    let (least, ..) =
        places.select_nth_unstable_by(count, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut gone: Vec<usize> = least.iter().map(|(_, place)| *place).collect();
    gone.sort_unstable();
    let mut gone = gone.into_iter().peekable();
    let mut place = 0;
    bounds.retain(|_| {
        let is_gone = gone.next_if_eq(&place).is_some();
        place += 1;
        !is_gone
    });
    count
}

/// Nanoseconds by which the time of a packet may be told too early or too late.
const STAMPS: f64 = 10_000.0;
/// Nanoseconds by which stamps may be late by chance, as where packets wait to be stamped.
const LATE: f64 = 100_000.0;
/// A part of the distance of bounds that is no matter, and nanoseconds that are none.
const NEARLY: f64 = 10.0;
const FINE: f64 = 200.0;
/// No clock is faster or slower by more.
pub(super) const FASTEST: f64 = 500e-6;
/// One of so many sightings may contradict the others.
const ASIDE: usize = 50;
/// For each so many that were left aside, one more is at once.
const AT_ONCE: usize = 16;
/// Steps of a search that ends where numbers are no finer.
const SEARCH: usize = 100;
/// Drifts between the least and the greatest that are tried for what they leave open.
const STEPS: u32 = 32;
