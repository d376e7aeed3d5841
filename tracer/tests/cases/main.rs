//! Cases of joining whose answer is known, each in twenty variants: other addresses, protocols,
//! fan-out, formats, times, files and points. Each is made of a few plain functions that tell who
//! says what when; what each capture point sees of it is worked out from that.
//!
//! `CASE=E SEED=7 cargo test -p wirespan --test cases` runs one variant, says what came of it, and
//! leaves its packets in files that Wireshark reads. `SEEDS=500` runs so many variants of each.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]
#![expect(clippy::print_stdout, reason = "says what a variant that is run alone gave")]

mod dice;
mod wire;
mod net;
mod sql;
mod talk;
mod run;
mod expect;
mod world;
mod identifiers;
mod points;
mod orders;
mod spans;
mod queues;
mod clocks;
mod losses;
mod tails;

use dice::Dice;
use expect::Expected;
use net::Net;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is not right yet, and why. Once all variants of a case are, it must go from here.
const NOT_YET: &[(&str, &str)] = &[];

/// Variants of each case.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=20;

/// Makes packets, and tells what must come of them.
type Make = fn(&mut Net, &mut Expected);

/// Runs all variants of a case that is made of packets.
fn check(case: &str, make: Make) {
    check_each(case, &|seed, is_only| {
        let mut net = Net::new(Dice::new(case, seed));
        let mut expected = Expected::default();
        make(&mut net, &mut expected);
        let (faults, files, trees) = expect::faults(&mut net, &expected);
        if is_only {
            println!("CASE={case} SEED={seed}\n{trees}");
            leave(case, seed, &files);
        }
        faults
    });
}

/// The same of any case: what is wrong with a variant, which is the only one or one of many.
fn check_each(case: &str, faults: &dyn Fn(u64, bool) -> Vec<String>) {
    let [only, seed, seeds] = ["CASE", "SEED", "SEEDS"].map(|name| std::env::var(name).ok());
    if only.as_ref().is_some_and(|only| only != case) {
        return;
    }
    let seeds: Vec<u64> = match (seed, seeds) {
        (Some(seed), _) => vec![seed.parse().unwrap()],
        (None, Some(count)) => (1..=count.parse().unwrap()).collect(),
        (None, None) => SEEDS.collect(),
    };
    let mut wrong = Vec::new();
    let is_only = only.is_some() && seeds.len() == 1;
    for seed in &seeds {
        let variant = catch_unwind(AssertUnwindSafe(|| faults(*seed, is_only)));
        let faults = variant.unwrap_or_else(|_| vec!["it panicked".to_owned()]);
        if !faults.is_empty() {
            wrong.push(format!("CASE={case} SEED={seed}:\n    {}", faults.join("\n    ")));
        }
    }
    let text = wrong.join("\n");
    match NOT_YET.iter().find(|(other, _)| *other == case) {
        None => assert!(wrong.is_empty(), "{} of {} variants:\n{text}", wrong.len(), seeds.len()),
        Some((_, why)) if wrong.is_empty() && seeds.len() > 1 => {
            panic!("{case} is right now ({why}): take it out of NOT_YET")
        }
        Some((_, why)) => {
            println!("{case}: not yet, {why}: {} of {} variants\n{text}", wrong.len(), seeds.len());
        }
    }
}

/// Leaves the files of a variant where they can be looked at.
fn leave(case: &str, seed: u64, files: &[Vec<u8>]) {
    for (number, bytes) in files.iter().enumerate() {
        let path =
            std::env::temp_dir().join(format!("wirespan-case-{case}-{seed}-{number}.pcapng"));
        std::fs::write(&path, bytes).unwrap();
        println!("{}", path.display());
    }
}

#[test]
fn a_request_id_that_a_gateway_hands_on_joins() {
    check("A", identifiers::a);
}

#[test]
fn a2_request_id_that_responses_repeat_joins() {
    check("A2", identifiers::a2);
}

#[test]
fn b_request_id_that_a_gateway_made_joins() {
    check("B", identifiers::b);
}

#[test]
fn b2_request_id_with_a_digit_that_was_changed_joins() {
    check("B2", identifiers::b2);
}

#[test]
fn c_trace_id_without_span_ids_joins() {
    check("C", identifiers::c);
}

#[test]
fn d_trace_id_with_span_ids_that_nobody_has_seen_joins() {
    check("D", identifiers::d);
}

#[test]
fn e_clock_of_a_point_that_is_off_is_found() {
    check("E", points::e);
}

#[test]
fn e2_clock_of_a_point_that_is_far_off_is_found() {
    check("E2", points::e2);
}

#[test]
fn e3_clocks_of_files_that_are_off_and_drift_change_nothing() {
    check("E3", clocks::e3);
}

#[test]
fn f_equal_correlation_ids_of_two_connections_join_nothing() {
    check_each("F", &|seed, _| spans::f(&mut Dice::new("F", seed)));
}

#[test]
fn g_equal_streams_of_two_connections_join_nothing() {
    check_each("G", &|seed, _| spans::g(&mut Dice::new("G", seed)));
}

#[test]
fn h_points_of_a_mirror_port_are_in_order() {
    check("H", points::h);
}

#[test]
fn i_points_are_in_order_whatever_durations_say() {
    check("I", points::i);
}

#[test]
fn j_request_that_is_sent_again_is_one() {
    check("J", points::j);
}

#[test]
fn j_told_request_that_is_sent_again_says_so() {
    check("J-TOLD", points::j_told);
}

#[test]
fn j2_request_that_is_sent_many_times_is_one() {
    check("J2", points::j2);
}

#[test]
fn k_response_that_takes_long_is_one() {
    check("K", points::k);
}

#[test]
fn k_told_time_on_the_network_is_told() {
    check("K-TOLD", points::k_told);
}

#[test]
fn l_flows_with_equal_numbers_are_not_joined() {
    check("L", points::l);
}

#[test]
fn m_trace_id_joins_three_levels() {
    check("M", identifiers::m);
}

#[test]
fn n_requests_that_do_not_wait_are_paired_in_order() {
    check("N", orders::n);
}

#[test]
fn o_request_in_disorder_is_one() {
    check("O", orders::o);
}

#[test]
fn p_message_of_redis_is_linked_to_who_sent_it() {
    check("P", queues::p);
}

#[test]
fn q_id_behind_a_long_statement_joins() {
    check("Q", identifiers::q);
}

#[test]
fn s_prepared_statement_keeps_its_id() {
    check("S", identifiers::s);
}

#[test]
fn t_what_was_told_before_the_capture_is_unknown() {
    check("T", tails::t);
}

#[test]
fn u_clients_behind_one_address_are_told_apart() {
    check("U", points::u);
}

#[test]
fn rewritten_addresses_are_one_chain() {
    check("NAT", points::nat);
}

#[test]
fn addresses_that_are_rewritten_twice_are_one_chain() {
    check("NAT2", points::nat2);
}

#[test]
fn calls_through_a_sidecar_are_in_order() {
    check("SIDECAR", identifiers::sidecar);
}

#[test]
fn points_inside_and_outside_of_a_tunnel_are_one_chain() {
    check("VXLAN", points::vxlan);
}

#[test]
fn tunnel_between_nodes_whose_clocks_differ_is_in_order() {
    check("VXLAN2", clocks::vxlan2);
}

#[test]
fn links_are_right_where_packets_get_lost() {
    check("LOSS", losses::loss);
}

#[test]
fn what_was_lost_between_two_levels_leaves_the_lower_one_open() {
    check("LEVELS", losses::levels);
}

#[test]
fn call_of_a_host_that_is_asked_one_thing_hangs_under_that() {
    check("ONE", identifiers::one);
}

#[test]
fn what_a_proxy_passes_on_hangs_under_what_it_was_asked() {
    check("PROXY", identifiers::proxy);
}

#[test]
fn call_of_a_host_that_is_asked_several_things_hangs_under_no_wrong_one() {
    check("SEVERAL", identifiers::several);
}
