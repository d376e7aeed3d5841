//! When to shed, and how much: readings of a run in, ten times a second or so; what to leave out
//! comes out. Time is an argument.
//!
//! ```text
//!           pressure                   pressure                         pressure
//!  nothing ─────────▶ details left out ─────────▶ 60 of 64 parts kept ─────────▶ 56, 48, 32, 16 … 0
//!          ◀─────────                  ◀─────────                     ◀─────────
//!             calm                        calm                           calm, in small steps
//! ```
//!
//! A step down is a try: if pressure comes back, it is taken back at once, and the next try waits
//! twice as long, so that a steady load leads to a steady state. Memory has levels of its own.

use super::{PARTS, Shed};

/// How a run goes, since the last reading.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Readings {
    /// Packets that were read, also those that were left out.
    pub packets: u64,
    /// Packets that the kernel dropped.
    pub drops: u64,
    /// Nanoseconds by which the last packet that was read is behind the clock, if that is known.
    pub lag: Option<i64>,
    /// Cores that the process kept busy.
    pub cpu: f32,
    /// Bytes of memory that the process has.
    pub resident: u64,
}

/// What a run must not use more of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Cores, as an average over a second or so.
    pub cpu: Option<f32>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Nanoseconds of lag that are too many.
    pub lag: i64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { cpu: None, memory: None, lag: 2 * SECOND }
    }
}

/// Decides what to leave out.
#[derive(Clone, Debug)]
pub struct Controller {
    bounds: Bounds,
    level: Level,
    /// Parts in a hundred of the time that the source rests.
    rest: u8,
    /// Cores, smoothed.
    cpu: f32,
    /// Packets a reading, smoothed, and how many there were when pressure was last felt.
    rate: f32,
    pressed_at: f32,
    before: Readings,
    /// When the level last changed.
    stepped: Option<i64>,
    /// Since when there is no pressure.
    calm: Option<i64>,
    /// How long calm must last before less is shed.
    wait: i64,
    /// The last step was a try to shed less, from this level.
    tried: Option<Level>,
    /// Tries that failed, one after the other.
    failures: u32,
    /// How tight memory is, from 0 to 4.
    tight: usize,
    relief: u32,
    /// When it last grew.
    relieved: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Level {
    details: bool,
    kept: u8,
}

impl Controller {
    /// Sheds nothing yet.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            level: Level { details: false, kept: PARTS },
            rest: 0,
            cpu: 0.0,
            rate: 0.0,
            pressed_at: 0.0,
            before: Readings::default(),
            stepped: None,
            calm: None,
            wait: CALM,
            tried: None,
            failures: 0,
            tight: 0,
            relief: 0,
            relieved: None,
        }
    }

    /// Takes readings at this moment, in nanoseconds from whenever; gives what to leave out.
    pub fn step(&mut self, now: i64, readings: &Readings) -> Shed {
        self.cpu += SMOOTH * (readings.cpu - self.cpu);
        self.rate += SMOOTH * (readings.packets as f32 - self.rate);
        self.feel(now, readings.resident);
        let settling = self.stepped.is_some_and(|stepped| now - stepped < SETTLES);
        if self.is_pressed(readings) {
            self.calm = None;
            if !settling {
                self.pressed_at = self.pressed_at.max(self.rate);
                self.shed_more(now);
            }
        } else {
            let calm = *self.calm.get_or_insert(now);
            let mut wait = self.wait;
            if self.is_eased() {
                (self.wait, self.failures) = (CALM, 0);
                wait = EASED_CALM;
            }
            if now - calm >= wait && self.has_room(readings) {
                self.shed_less(now);
            }
        }
        self.before = *readings;
        self.shed()
    }

    /// Looks how tight memory is at this moment; between readings too, as it may grow quickly.
    pub fn feel(&mut self, now: i64, resident: u64) -> Shed {
        let Some(bound) = self.bounds.memory else { return self.shed() };
        let share = resident as f64 / bound.max(1) as f64;
        let above = |slack: f64| TIGHT.iter().filter(|limit| share > **limit - slack).count();
        // Between a level and a little below it, what was is left as it is.
        self.tight = self.tight.clamp(above(0.0), above(SLACK));
        // What was given up needs a moment to be given back.
        if self.tight > 0 && self.relieved.is_none_or(|before| now - before >= RELIEF) {
            self.relief = self.relief.wrapping_add(1);
            self.relieved = Some(now);
        }
        self.shed()
    }

    /// What is left out at present.
    pub fn shed(&self) -> Shed {
        Shed {
            details: self.level.details || self.tight >= FORGETS,
            kept: if self.tight >= ALL { 0 } else { self.level.kept },
            new_flows: self.tight >= NO_NEW_FLOWS,
            relief: self.relief,
            forget: self.tight >= FORGETS,
            rest: self.rest,
        }
    }

    /// Whether something is too much.
    fn is_pressed(&self, readings: &Readings) -> bool {
        // What is being worked off needs no more to be shed.
        let lag = readings
            .lag
            .is_some_and(|lag| lag > self.bounds.lag && lag >= self.before.lag.unwrap_or_default());
        // Where a ring is too small for bursts, leaving packets out helps nobody.
        let behind = readings.lag.is_none_or(|lag| lag > BEHIND);
        let drops = readings.drops > 0 && (behind || self.cpu > BUSY);
        drops || lag || self.too_busy() > 1.0
    }

    /// How many times the CPU that is allowed is used.
    fn too_busy(&self) -> f32 {
        self.bounds.cpu.map_or(0.0, |bound| self.cpu / bound.max(f32::MIN_POSITIVE))
    }

    /// Whether a step down could go well.
    fn has_room(&self, readings: &Readings) -> bool {
        let next = self.next_kept();
        let more = f32::from(next.max(1)) / f32::from(self.level.kept.max(1));
        let rested = 100.0 / f32::from(100 - self.rest.min(99));
        let more = if self.rest > 0 { rested.min(2.0) } else { more };
        readings.lag.unwrap_or_default() < BEHIND
            && self.too_busy() * more < ROOM
            && self.tight == 0
    }

    fn shed_more(&mut self, now: i64) {
        self.stepped = Some(now);
        if let Some(before) = self.tried.take() {
            self.go_to(before);
            self.wait = (self.wait * 2).min(LONGEST_CALM);
            self.failures = (self.failures + 1).min(5);
            return;
        }
        let Level { details, kept } = self.level;
        if !details {
            self.go_to(Level { details: true, kept });
        } else if kept > 0 {
            let doubled = match PARTS - kept {
                0 => PARTS - FIRST,
                shed if shed < PARTS / 2 => PARTS - 2 * shed,
                _ => kept / 2,
            };
            // CPU that is only a little too much says how much.
            let busy = self.too_busy();
            let fits = (f32::from(kept) * ROOM / busy.max(1.0)) as u8;
            let kept = if busy > 1.0 { fits.min(kept - 1).max(doubled) } else { doubled };
            self.go_to(Level { details, kept });
        } else if self.too_busy() > 1.0 {
            self.rest = (self.rest + (100 - self.rest) / 2).min(MOST_REST);
            self.cpu *= 0.5;
        }
    }

    fn shed_less(&mut self, now: i64) {
        if self.rest > 0 {
            self.rest = if self.rest < 10 { 0 } else { self.rest / 2 };
            (self.stepped, self.calm) = (Some(now), Some(now));
            return;
        }
        let Level { details, kept } = self.level;
        if self.tried.take().is_some() {
            // The try before went well.
            self.wait = (self.wait / 2).max(CALM);
        }
        if kept == PARTS && !details {
            (self.pressed_at, self.failures) = (0.0, 0);
            return;
        }
        self.tried = Some(self.level);
        (self.stepped, self.calm) = (Some(now), Some(now));
        let details = kept < PARTS;
        self.go_to(Level { details, kept: self.next_kept() });
    }

    /// Whether much less comes than when it was too much.
    fn is_eased(&self) -> bool {
        self.rate < EASED * self.pressed_at
    }

    /// How many parts are kept after a step down: the more tries have failed, the fewer more.
    fn next_kept(&self) -> u8 {
        let kept = self.level.kept;
        if self.is_eased() {
            return kept.saturating_mul(2).clamp(FIRST, PARTS);
        }
        (kept + (kept >> (2 + self.failures)).max(1)).min(PARTS)
    }

    /// Changes the level; what CPU is expected at it stands for what will be read.
    fn go_to(&mut self, level: Level) {
        let [new, old] = [level.kept, self.level.kept].map(|kept| f32::from(kept.max(1)));
        self.cpu *= new / old;
        self.level = level;
    }
}

const SECOND: i64 = 1_000_000_000;
/// Parts of all flows that are shed first.
const FIRST: u8 = 4;
/// How much of a new reading counts.
const SMOOTH: f32 = 0.2;
/// Nanoseconds until a step shows what it does.
const SETTLES: i64 = SECOND * 3 / 10;
/// Nanoseconds of calm before less is shed, and the longest time that becomes.
const CALM: i64 = 5 * SECOND;
const LONGEST_CALM: i64 = 300 * SECOND;
/// Nanoseconds of lag, or cores, that say that drops come of too much to do. With less lag there is
/// nothing left to work off, and a step down shows at once how it goes.
const BEHIND: i64 = SECOND / 10;
const BUSY: f32 = 0.7;
/// What share of a bound is aimed at.
const ROOM: f32 = 0.92;
/// If so much of the packets come that were too many, trying again pays, and soon.
const EASED: f32 = 0.7;
const EASED_CALM: i64 = SECOND;
/// Parts in a hundred of the time that a source rests at most.
const MOST_REST: u8 = 95;
/// Shares of the bound of memory at which it is tight, more and more.
const TIGHT: [f64; 4] = [0.70, 0.80, 0.88, 0.94];
/// By how much memory must fall for a level to end.
const SLACK: f64 = 0.05;
/// Nanoseconds between two times that memory is given back.
const RELIEF: i64 = SECOND / 10;
/// From which level on the oldest flows are forgotten, no new flows are followed, and none is.
const FORGETS: usize = 2;
const NO_NEW_FLOWS: usize = 3;
const ALL: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const TENTH: i64 = SECOND / 10;

    /// A program that works on so many packets a second on one core, of which leaving one out
    /// costs a tenth, with a ring of so many packets.
    struct Machine {
        capacity: f64,
        ring: f64,
        waiting: f64,
    }

    impl Machine {
        fn new(capacity: f64) -> Self {
            Self { capacity, ring: 50_000.0, waiting: 0.0 }
        }

        /// A tenth of a second with so many packets a second.
        fn run(&mut self, load: f64, shed: Shed) -> Readings {
            let kept = f64::from(shed.kept) / f64::from(PARTS);
            let details = if shed.details { 1.0 } else { 1.25 };
            let cost = (kept * details + (1.0 - kept) * 0.1) / self.capacity;
            let time = 0.1 * f64::from(100 - shed.rest) / 100.0;
            let done = (time / cost).min(self.waiting + load / 10.0);
            self.waiting += load / 10.0 - done;
            let drops = (self.waiting - self.ring).max(0.0);
            self.waiting -= drops;
            Readings {
                packets: done as u64,
                drops: drops as u64,
                lag: Some((self.waiting / load.max(1.0) * 1e9) as i64),
                cpu: (done * cost / 0.1) as f32,
                resident: 0,
            }
        }
    }

    /// What was shed in each tenth of a second, and how many packets were dropped in it.
    fn drive(
        controller: &mut Controller,
        machine: &mut Machine,
        load: f64,
        from: i64,
        seconds: i64,
    ) -> Vec<(Shed, u64, f32)> {
        let mut told = Vec::new();
        let mut shed = controller.shed();
        for tenth in 0..seconds * 10 {
            let readings = machine.run(load, shed);
            shed = controller.step(from * SECOND + tenth * TENTH, &readings);
            told.push((shed, readings.drops, readings.cpu));
        }
        told
    }

    /// Runs ten minutes under a load of so many times the capacity; drops must end soon, and what
    /// is shed must come to rest.
    #[track_caller]
    fn check_steady(times: f64) {
        let mut controller = Controller::new(Bounds::default());
        let told = drive(&mut controller, &mut Machine::new(1e5), times * 1e5, 0, 1_800);
        let (first, rest) = told.split_at(100);
        let early: u64 = first.iter().map(|(_, drops, _)| drops).sum();
        assert!((early as f64) < times * 1e5 * 5.0, "{early} dropped at once");
        let late: Vec<usize> = rest
            .iter()
            .enumerate()
            .filter(|(_, (_, drops, _))| *drops > 0)
            .map(|(at, _)| at)
            .collect();
        assert!(late.len() < rest.len() / 200, "drops in {} of {} tenths", late.len(), rest.len());
        // In the second half, hardly anything changes, and it is about what it must be.
        let half = &rest[rest.len() / 2..];
        let changes = half.windows(2).filter(|pair| pair[0].0 != pair[1].0).count();
        assert!(changes <= 16, "{changes} changes in the second half");
        let needed = ((1.0 / times - 0.1) / 0.9).clamp(0.0, 1.0) * f64::from(PARTS);
        let mean =
            half.iter().map(|(shed, ..)| f64::from(shed.kept)).sum::<f64>() / half.len() as f64;
        assert!(mean > needed * 0.7 - 1.5 && mean < needed + 1.5, "{mean} kept, {needed} can be");
    }

    #[test]
    fn what_fits_is_not_shed() {
        let mut controller = Controller::new(Bounds::default());
        let told = drive(&mut controller, &mut Machine::new(1e5), 0.7e5, 0, 60);
        assert!(told.iter().all(|(shed, drops, _)| *shed == Shed::NOTHING && *drops == 0));
    }

    #[test]
    fn a_ring_too_small_for_bursts_sheds_nothing() {
        let mut controller = Controller::new(Bounds::default());
        for tenth in 0..600 {
            let readings = Readings {
                packets: 100,
                drops: 20,
                lag: Some(1_000_000),
                cpu: 0.1,
                ..Readings::default()
            };
            assert_eq!(controller.step(tenth * TENTH, &readings), Shed::NOTHING);
        }
    }

    #[test]
    fn where_details_are_too_much_no_flow_is_shed() {
        let mut controller = Controller::new(Bounds::default());
        let told = drive(&mut controller, &mut Machine::new(1e5), 0.9e5, 0, 600);
        assert!(told.iter().all(|(shed, ..)| shed.kept == PARTS));
        assert!(told.iter().filter(|(shed, ..)| shed.details).count() > told.len() / 2);
    }

    #[test]
    fn any_overload_leads_to_a_steady_state_without_drops() {
        for times in [1.1, 1.3, 1.7, 2.0, 3.0, 5.0, 8.0] {
            check_steady(times);
        }
    }

    #[test]
    fn after_a_flood_all_is_looked_at_again_within_a_tight_bound_of_cpu() {
        let mut controller = Controller::new(Bounds { cpu: Some(0.1), ..Bounds::default() });
        let mut machine = Machine::new(1e5);
        let told = drive(&mut controller, &mut machine, 4e5, 0, 30);
        assert!(told.last().is_some_and(|(shed, ..)| shed.kept == 0 && shed.rest > 0));
        let told = drive(&mut controller, &mut machine, 500.0, 30, 20);
        assert_eq!(told.last().map(|(shed, ..)| *shed), Some(Shed::NOTHING));
    }

    #[test]
    fn when_the_load_is_gone_all_is_looked_at_again() {
        let mut controller = Controller::new(Bounds::default());
        let mut machine = Machine::new(1e5);
        let told = drive(&mut controller, &mut machine, 4e5, 0, 300);
        assert!(told.last().is_some_and(|(shed, ..)| shed.kept < 20));
        let told = drive(&mut controller, &mut machine, 0.2e5, 300, 15);
        assert_eq!(told.last().map(|(shed, ..)| *shed), Some(Shed::NOTHING));
    }

    #[test]
    fn a_burst_sheds_for_seconds_and_no_longer() {
        let mut controller = Controller::new(Bounds::default());
        let mut machine = Machine::new(1e5);
        drive(&mut controller, &mut machine, 0.2e5, 0, 10);
        drive(&mut controller, &mut machine, 5e5, 10, 1);
        let told = drive(&mut controller, &mut machine, 0.2e5, 11, 120);
        assert_eq!(told.last().map(|(shed, ..)| *shed), Some(Shed::NOTHING));
    }

    /// The CPU of the last of ten minutes keeps the bound, as an average over each second.
    #[track_caller]
    fn check_cpu(bound: f32, times: f64) {
        let bounds = Bounds { cpu: Some(bound), ..Bounds::default() };
        let mut controller = Controller::new(bounds);
        let told = drive(&mut controller, &mut Machine::new(1e5), times * 1e5, 0, 600);
        let late = &told[told.len() - 3_000..];
        let mean = |second: &[(Shed, u64, f32)]| {
            second.iter().map(|(.., cpu)| cpu).sum::<f32>() / second.len() as f32
        };
        let over = late.chunks(10).filter(|second| mean(second) > bound * 1.05).count();
        assert!(over <= 3, "over {bound} in {over} seconds, at {times} times what fits");
        assert!(mean(late) > bound * 0.5, "{} of {bound} cores at {times}", mean(late));
    }

    #[test]
    fn the_bound_of_cpu_is_kept() {
        for bound in [0.25, 0.5, 0.8] {
            for times in [0.9, 1.5, 4.0] {
                check_cpu(bound, times);
            }
        }
    }

    #[test]
    fn where_leaving_out_costs_too_much_the_source_rests() {
        check_cpu(0.2, 9.0);
    }

    fn shed_at(controller: &mut Controller, share: f64) -> Shed {
        let now = controller.relieved.unwrap_or_default() + RELIEF;
        controller.feel(now, (share * 1e9) as u64)
    }

    #[test]
    fn tight_memory_gives_back_before_it_gives_up() {
        let mut controller =
            Controller::new(Bounds { memory: Some(1_000_000_000), ..Bounds::default() });
        assert_eq!(shed_at(&mut controller, 0.6), Shed::NOTHING);
        let first = shed_at(&mut controller, 0.75);
        assert!(first.relief == 1 && !first.forget && !first.is_lossy());
        let second = shed_at(&mut controller, 0.85);
        assert!(second.relief == 2 && second.forget && second.details && !second.new_flows);
        let third = shed_at(&mut controller, 0.90);
        assert!(third.new_flows && third.kept == PARTS);
        assert_eq!(shed_at(&mut controller, 0.99).kept, 0);
        // A little less does not end it; much less does.
        assert_eq!(shed_at(&mut controller, 0.91).kept, 0);
        assert_eq!(shed_at(&mut controller, 0.87).kept, PARTS);
        assert!(!shed_at(&mut controller, 0.5).is_lossy());
    }

    #[test]
    fn parts_of_hashes_are_about_equal() {
        let mut counts = [0_u32; PARTS as usize];
        for number in 0..64_000_u64 {
            counts[usize::from(super::super::part(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))] +=
                1;
        }
        assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
    }
}
