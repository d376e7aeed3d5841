//! Stretches of time as a bar of characters, one column each.

use crate::export::shares::{Part, Stretch};
use smallvec::{SmallVec, smallvec};

/// What each column shows; nothing before it began, and between calls in one line.
pub(super) type Bar = SmallVec<[Option<Part>; 64]>;

/// Draws stretches within so many columns for the time from `from` to `to`. Each column shows what
/// most of its time went to.
pub(super) fn bar(stretches: &[Stretch], (from, to): (i64, i64), columns: usize) -> Bar {
    let mut times: SmallVec<[[f32; 3]; 64]> = smallvec![[0.0; 3]; columns];
    let scale = columns as f64 / (to - from).max(1) as f64;
    let last = columns.saturating_sub(1);
    for stretch in stretches {
        let start = (stretch.from - from) as f64 * scale;
        let end = (stretch.to - from) as f64 * scale;
        let first = (start as usize).min(last);
        for (place, time) in times.iter_mut().enumerate().skip(first) {
            let (left, right) = (place as f64, (place + 1) as f64);
            if left >= end && place > first {
                break;
            }
            // What is too short to be seen still has a column.
            let share = (end.min(right) - start.max(left)).max(SHORTEST);
            if let Some(time) = time.get_mut(stretch.part as usize) {
                *time += share as f32;
            }
        }
    }
    let mut bar: Bar = times.iter().map(largest).collect();
    let end = bar.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    bar.truncate(end);
    bar
}

fn largest(times: &[f32; 3]) -> Option<Part> {
    let [network, server, waiting] = *times;
    if network + server + waiting <= 0.0 {
        return None;
    }
    Some(if server >= waiting && server >= network {
        Part::Server
    } else if waiting >= network {
        Part::Waiting
    } else {
        Part::Network
    })
}

/// The character for a column.
pub(super) fn glyph(part: Option<Part>) -> char {
    match part {
        None => ' ',
        Some(Part::Network) => '─',
        Some(Part::Server) => '█',
        Some(Part::Waiting) => '░',
    }
}

/// A part of a column.
const SHORTEST: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stretches: &[(i64, i64, Part)], columns: usize, expected: &str) {
        let stretches: Vec<Stretch> = stretches
            .iter()
            .map(|(from, to, part)| Stretch { from: *from, to: *to, part: *part })
            .collect();
        let shown: String = bar(&stretches, (100, 200), columns).into_iter().map(glyph).collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn bars_stay_within_their_columns() {
        check(&[(100, 200, Part::Server)], 4, "████");
        check(&[(150, 200, Part::Server)], 4, "  ██");
        check(&[(200, 200, Part::Server)], 4, "   █");
        check(&[(0, 900, Part::Server)], 4, "████");
        check(&[(100, 200, Part::Server)], 0, "");
        check(&[], 4, "");
    }

    #[test]
    fn column_shows_what_most_of_it_went_to() {
        let stretches =
            [(100, 120, Part::Network), (120, 160, Part::Waiting), (160, 200, Part::Server)];
        check(&stretches, 10, "──░░░░████");
        check(&stretches, 2, "░█");
        check(&stretches, 1, "█");
    }

    #[test]
    fn what_takes_no_time_has_a_column_and_gaps_stay_empty() {
        check(&[(100, 100, Part::Network)], 4, "─");
        check(&[(100, 110, Part::Server), (180, 190, Part::Server)], 10, "█       █");
    }
}
