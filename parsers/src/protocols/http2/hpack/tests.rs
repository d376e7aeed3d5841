//! Blocks of the specification's appendix C, and what differs where blocks were not seen.

use super::*;

/// Fields as `name: value`, a `?` for what is unknown.
fn read(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut fields = Vec::new();
    decoder.block(block, &mut |field| {
        let [name, value] = [field.name, field.value].map(|text| {
            text.map_or_else(|| "?".to_owned(), |text| text.escape_ascii().to_string())
        });
        let mark = if field.never_indexed { "!" } else { "" };
        fields.push(format!("{mark}{name}: {value}"));
    })?;
    Ok(fields)
}

fn check(mut decoder: Decoder, blocks: &[(&[u8], &[&str])]) {
    for (block, expected) in blocks {
        assert_eq!(read(&mut decoder, block).unwrap(), *expected, "{block:02x?}");
    }
}

fn check_malformed(mut decoder: Decoder, block: &[u8], field: &'static str) {
    assert_eq!(read(&mut decoder, block), Err(Malformed(field)), "{block:02x?}");
}

#[test]
fn single_fields_are_read() {
    // Appendix C.2.
    check(
        Decoder::from_start(),
        &[
            (b"\x40\x0acustom-key\x0dcustom-header", &["custom-key: custom-header"]),
            (b"\x04\x0c/sample/path", &[":path: /sample/path"]),
            (b"\x10\x08password\x06secret", &["!password: secret"]),
            (b"\x82\xbe", &[":method: GET", "custom-key: custom-header"]),
        ],
    );
}

#[test]
fn requests_are_read() {
    // Appendix C.3, and with the strings of C.4 coded.
    let first: &[&str] =
        &[":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
    let second: &[&str] = &[
        ":method: GET",
        ":scheme: http",
        ":path: /",
        ":authority: www.example.com",
        "cache-control: no-cache",
    ];
    let third: &[&str] = &[
        ":method: GET",
        ":scheme: https",
        ":path: /index.html",
        ":authority: www.example.com",
        "custom-key: custom-value",
    ];
    check(
        Decoder::from_start(),
        &[
            (b"\x82\x86\x84\x41\x0fwww.example.com", first),
            (b"\x82\x86\x84\xbe\x58\x08no-cache", second),
            (b"\x82\x87\x85\xbf\x40\x0acustom-key\x0ccustom-value", third),
        ],
    );
    check(
        Decoder::from_start(),
        &[
            (b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", first),
            (b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf", second),
        ],
    );
}

#[test]
fn responses_push_out_what_is_too_much() {
    // Appendix C.5: a table of 256 bytes. The literal ones are inserted; 0x3f 0xe1 0x01 sets 256.
    let first = b"\x3f\xe1\x01\x48\x03302\x58\x07private\x61\x1dMon, 21 Oct 2013 20:13:21 GMT\
        \x6e\x17https://www.example.com";
    let head = ["cache-control: private", "date: Mon, 21 Oct 2013 20:13:21 GMT"];
    let location = "location: https://www.example.com";
    check(
        Decoder::from_start(),
        &[
            (first, &[":status: 302", head[0], head[1], location]),
            (b"\x48\x03307\xc1\xc0\xbf", &[":status: 307", head[0], head[1], location]),
        ],
    );
    let mut decoder = Decoder::from_start();
    read(&mut decoder, first).unwrap();
    read(&mut decoder, b"\x48\x03307").unwrap();
    // The status of the first one is the fifth, and evicted.
    assert_eq!(read(&mut decoder, b"\xc2"), Err(Malformed("header index")));
}

#[test]
fn what_was_not_seen_is_unknown_and_the_rest_exact() {
    check(
        Decoder::in_midstream(),
        &[
            // An entry from before; one whose name is from before, and whose value is not.
            (b"\x82\xbe\x7e\x01v", &[":method: GET", "?: ?", "?: v"]),
            (b"\xbe\xbf\x40\x01a\x01b", &["?: v", "?: ?", "a: b"]),
            (b"\xbe\xbf\xc0\x0f\x30\x01c", &["a: b", "?: v", "?: ?", "?: c"]),
            (b"\x7e\x01d\xbe\xbf", &["a: d", "a: d", "a: b"]),
        ],
    );
}

#[test]
fn a_table_of_size_zero_is_known() {
    let mut decoder = Decoder::in_midstream();
    assert_eq!(read(&mut decoder, b"\xbe").unwrap(), ["?: ?"]);
    assert_eq!(read(&mut decoder, b"\x20\x3f\xe1\x1f\x40\x01a\x01b").unwrap(), ["a: b"]);
    assert_eq!(read(&mut decoder, b"\xbe\xbf"), Err(Malformed("header index")));
}

#[test]
fn a_table_that_is_full_of_seen_entries_is_known() {
    // Of 68 bytes (0x3f 0x25), each entry takes up 34: of two, both are known.
    let mut decoder = Decoder::in_midstream();
    assert_eq!(read(&mut decoder, b"\x3f\x25\x40\x01a\x01b").unwrap(), ["a: b"]);
    assert_eq!(read(&mut decoder, b"\xbf").unwrap(), ["?: ?"]);
    assert_eq!(read(&mut decoder, b"\x40\x01c\x01d\xbf").unwrap(), ["c: d", "a: b"]);
    assert_eq!(read(&mut decoder, b"\xc0"), Err(Malformed("header index")));
}

#[test]
fn a_table_cannot_be_larger_than_its_limit() {
    let mut decoder = Decoder::in_midstream();
    decoder.limit(128);
    // Beyond 34 bytes there is room for two entries at most.
    let found = read(&mut decoder, b"\x40\x01a\x01b\xbe\xbf\xc0").unwrap();
    assert_eq!(found, ["a: b", "a: b", "?: ?", "?: ?"]);
    assert_eq!(read(&mut decoder, b"\xc1"), Err(Malformed("header index")));
    // Nothing is lost of a size that is known.
    let mut decoder = Decoder::from_start();
    read(&mut decoder, b"\x40\x01a\x01b").unwrap();
    decoder.limit(0);
    assert_eq!(read(&mut decoder, b"\xbe").unwrap(), ["a: b"]);
}

#[test]
fn an_entry_that_is_too_large_empties_the_table() {
    let long = [b"\x40\x01a\x7f\xa2\x1f".as_slice(), &[b'b'; 4129]].concat();
    let mut decoder = Decoder::from_start();
    read(&mut decoder, b"\x40\x01a\x01b").unwrap();
    assert_eq!(read(&mut decoder, &long).unwrap().len(), 1);
    assert_eq!(read(&mut decoder, b"\xbe"), Err(Malformed("header index")));
    // Where the size is not known, it has its place.
    let mut decoder = Decoder::in_midstream();
    read(&mut decoder, &long).unwrap();
    read(&mut decoder, b"\x40\x01c\x01d").unwrap();
    let found = read(&mut decoder, b"\xbe\xbf\xc0").unwrap();
    assert_eq!([found[0].as_str(), &found[2]], ["c: d", "?: ?"]);
}

#[test]
fn an_entry_that_is_too_large_to_be_kept_has_its_place() {
    // A table of 1 MiB, and an entry of 70,000 bytes in it.
    let mut decoder = Decoder::from_start();
    read(&mut decoder, b"\x3f\xe1\xff\x3f\x40\x01a\x01b").unwrap();
    let long = [b"\x40\x01c\x7f\xf1\xa1\x04".as_slice(), &[b'b'; 70_000]].concat();
    // It is longer than what is told of a block.
    assert_eq!(read(&mut decoder, &long).unwrap(), [""; 0]);
    assert_eq!(decoder.untold(), 1);
    read(&mut decoder, b"\x40\x01c\x01d").unwrap();
    assert_eq!(read(&mut decoder, b"\xbe\xbf\xc0").unwrap(), ["c: d", "?: ?", "a: b"]);
    assert!(decoder.bytes() < 200_000, "{}", decoder.bytes());
}

#[test]
fn one_long_text_leaves_no_room_behind() {
    let mut decoder = Decoder::from_start();
    let long = [b"\x00\x01c\x7f\xf1\xa1\x04".as_slice(), &[b'b'; 70_000]].concat();
    read(&mut decoder, &long).unwrap();
    assert!(decoder.bytes() < 10_000, "{}", decoder.bytes());
}

#[test]
fn what_is_not_kept_is_unknown() {
    let mut decoder = Decoder::in_midstream();
    let value = [b"\x40\x01a\x7f\x81\x07".as_slice(), &[b'b'; 1024]].concat();
    for _ in 0..100 {
        read(&mut decoder, &value).unwrap();
    }
    assert!(decoder.bytes() < 72 << 10, "{}", decoder.bytes());
    let found = read(&mut decoder, b"\xbe\xcb\xcf").unwrap();
    assert_eq!(found.iter().map(String::len).collect::<Vec<_>>(), [1027, 1027, 4]);
}

#[test]
fn a_long_name_that_many_entries_have_is_kept_once() {
    // A block of 60 KB that would copy 900 MB.
    let mut decoder = Decoder::from_start();
    let name =
        [b"\x3f\xe1\xff\x03\x40\x7f\xb1\xe9\x01".as_slice(), &[b'n'; 30_000], b"\x00"].concat();
    read(&mut decoder, &name).unwrap();
    let block = b"\x7e\x00".repeat(30_000);
    let found = read(&mut decoder, &block).unwrap();
    assert_eq!((found.len(), decoder.untold()), (2, 29_998));
    assert!(decoder.bytes() < 200_000, "{}", decoder.bytes());
    assert_eq!(read(&mut decoder, b"\xbe").unwrap(), [format!("{}: ", "n".repeat(30_000))]);
}

#[test]
fn all_is_unknown_after_a_loss() {
    let mut decoder = Decoder::from_start();
    read(&mut decoder, b"\x40\x01a\x01b").unwrap();
    decoder.lost();
    assert_eq!(
        read(&mut decoder, b"\xbe\x40\x01c\x01d\xbe\xbf").unwrap(),
        ["?: ?", "c: d", "c: d", "?: ?"]
    );
    // So it is after a block that breaks off.
    let mut decoder = Decoder::from_start();
    read(&mut decoder, b"\x40\x01a\x01b").unwrap();
    assert_eq!(read(&mut decoder, b"\x40\x01c\x02d"), Err(Malformed("header block's end")));
    assert_eq!(read(&mut decoder, b"\xbe").unwrap(), ["?: ?"]);
}

#[test]
fn unknown_entries_have_numbers_that_stay() {
    let numbers = |decoder: &mut Decoder, block: &[u8]| {
        let mut numbers = Vec::new();
        decoder.block(block, &mut |field| numbers.push(field.entry)).unwrap();
        numbers
    };
    let mut decoder = Decoder::in_midstream();
    let first = numbers(&mut decoder, b"\xbe\xbf\x82\x0f\x2f\x01a");
    assert_eq!(first, [Some(-1), Some(-2), None, None]);
    // Three more come before them, of which the middle one has a name that is not known.
    numbers(&mut decoder, b"\x40\x01a\x01b\x7f\x00\x01c\x40\x01d\x01e");
    let second = numbers(&mut decoder, b"\xc1\xc2\xbe\xbf\xc0");
    assert_eq!(second, [Some(-1), Some(-2), None, Some(1), None]);
    decoder.lost();
    let third = numbers(&mut decoder, b"\xbe\xbf\xc0\xc1\xc2");
    assert!(third.iter().flatten().all(|number| *number > 1000), "{third:?}");
}

#[test]
fn fields_before_a_fault_are_told() {
    let mut told = 0;
    let read = Decoder::from_start().block(b"\x82\x84\x80", &mut |_| told += 1);
    assert_eq!((read, told), (Err(Malformed("header index")), 2));
}

#[test]
fn what_cannot_be_decoded_is_unknown_and_has_its_place() {
    let mut decoder = Decoder::from_start();
    let block = b"\x40\x01a\x01b\x40\x81\xff\x01v\x41\x84\xff\xff\xff\xff\x40\x01c\x01d\xc1";
    let expected = ["a: b", "?: v", ":authority: ?", "c: d", "a: b"];
    assert_eq!(read(&mut decoder, block).unwrap(), expected);
    assert_eq!(decoder.unreadable(), 2);
    let later = read(&mut decoder, b"\xbe\xbf\xc0\x0f\x32\x01w\x01\x82\xff\xff").unwrap();
    assert_eq!(later, ["c: d", ":authority: ?", "?: v", "a: w", ":authority: ?"]);
}

#[test]
fn blocks_that_no_sender_may_send_are_malformed() {
    let start = Decoder::from_start;
    check_malformed(start(), b"\x80", "header index");
    check_malformed(start(), b"\xbe", "header index");
    check_malformed(start(), b"\x7f\x00\x01a", "header name index");
    check_malformed(start(), b"\x82\x20", "header table size behind a field");
    check_malformed(start(), b"\x40", "header block's end");
    check_malformed(start(), b"\x40\x02a", "header block's end");
    check_malformed(start(), b"\xff\x80\x80\x80\x80\x80\x00", "header number");
    check_malformed(start(), b"\xff\xff\xff\xff\xff\x7f", "header number");
    check_malformed(start(), b"\xff\x80", "header block's end");
    check_malformed(Decoder::in_midstream(), b"\x80", "header index");
}
