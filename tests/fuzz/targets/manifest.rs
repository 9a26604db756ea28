#![no_main]

use annals_tests::campaign::draw::Draw;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| annals_fuzz::snapshot::manifest(&mut Draw::of_bytes(bytes)));
