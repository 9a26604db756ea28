#![no_main]

use annals_tests::campaign::draw::Draw;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| annals_fuzz::cli::inputs(&mut Draw::of_bytes(bytes)));
