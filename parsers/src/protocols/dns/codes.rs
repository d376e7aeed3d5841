//! What the numbers for operations, outcomes and types of records are called.

use std::borrow::Cow;

pub(super) fn named(
    names: &[(u16, &'static str)],
    code: u16,
    otherwise: &str,
) -> Cow<'static, [u8]> {
    match names.iter().find(|(known, _)| *known == code) {
        Some((_, name)) => Cow::Borrowed(name.as_bytes()),
        None => Cow::Owned(format!("{otherwise}{code}").into_bytes()),
    }
}

pub(super) const QUERY: u16 = 0;
pub(super) const STATUS: u16 = 2;
pub(super) const NOTIFY: u16 = 4;
pub(super) const UPDATE: u16 = 5;
/// <https://www.iana.org/assignments/dns-parameters>
pub(super) const OPCODES: &[(u16, &str)] = &[
    (QUERY, "QUERY"),
    (1, "IQUERY"),
    (STATUS, "STATUS"),
    (NOTIFY, "NOTIFY"),
    (UPDATE, "UPDATE"),
    (6, "DSO"),
];

pub(super) const SERVFAIL: u16 = 2;
pub(super) const NOTIMP: u16 = 4;
#[rustfmt::skip]
pub(super) const RCODES: &[(u16, &str)] = &[
    (0, "NOERROR"), (1, "FORMERR"), (SERVFAIL, "SERVFAIL"), (3, "NXDOMAIN"), (NOTIMP, "NOTIMP"),
    (5, "REFUSED"), (6, "YXDOMAIN"), (7, "YXRRSET"), (8, "NXRRSET"), (9, "NOTAUTH"),
    (10, "NOTZONE"), (11, "DSOTYPENI"), (16, "BADVERS"), (17, "BADKEY"), (18, "BADTIME"),
    (19, "BADMODE"), (20, "BADNAME"), (21, "BADALG"), (22, "BADTRUNC"), (23, "BADCOOKIE"),
];

pub(super) const A: u16 = 1;
pub(super) const NS: u16 = 2;
pub(super) const CNAME: u16 = 5;
pub(super) const SOA: u16 = 6;
pub(super) const PTR: u16 = 12;
pub(super) const MX: u16 = 15;
pub(super) const TXT: u16 = 16;
pub(super) const AAAA: u16 = 28;
pub(super) const SRV: u16 = 33;
pub(super) const DNAME: u16 = 39;
pub(super) const OPT: u16 = 41;
pub(super) const SVCB: u16 = 64;
pub(super) const HTTPS: u16 = 65;
pub(super) const SPF: u16 = 99;
pub(super) const IXFR: u16 = 251;
pub(super) const AXFR: u16 = 252;
#[rustfmt::skip]
pub(super) const TYPES: &[(u16, &str)] = &[
    (A, "A"), (AAAA, "AAAA"), (CNAME, "CNAME"), (HTTPS, "HTTPS"), (PTR, "PTR"), (SRV, "SRV"),
    (NS, "NS"), (SOA, "SOA"), (MX, "MX"), (TXT, "TXT"), (10, "NULL"), (11, "WKS"), (13, "HINFO"),
    (14, "MINFO"), (17, "RP"), (18, "AFSDB"), (24, "SIG"), (25, "KEY"), (29, "LOC"), (35, "NAPTR"),
    (36, "KX"), (37, "CERT"), (DNAME, "DNAME"), (OPT, "OPT"), (42, "APL"), (43, "DS"),
    (44, "SSHFP"), (45, "IPSECKEY"), (46, "RRSIG"), (47, "NSEC"), (48, "DNSKEY"), (49, "DHCID"),
    (50, "NSEC3"), (51, "NSEC3PARAM"), (52, "TLSA"), (53, "SMIMEA"), (55, "HIP"), (59, "CDS"),
    (60, "CDNSKEY"), (61, "OPENPGPKEY"), (62, "CSYNC"), (63, "ZONEMD"), (SVCB, "SVCB"),
    (SPF, "SPF"), (108, "EUI48"), (109, "EUI64"), (249, "TKEY"), (250, "TSIG"), (IXFR, "IXFR"),
    (AXFR, "AXFR"), (253, "MAILB"), (254, "MAILA"), (255, "ANY"), (256, "URI"), (257, "CAA"),
];
