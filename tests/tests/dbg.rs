use annals_tests::cases;
use annals_tests::event::subject::*;
use annals_tests::native::native;
use annals_tests::sim::SimDisk;
use annals_logs::types::*;
#[test]
fn dbg() {
    let _ = cases::all();
    let disk = SimDisk::new(1);
    let s = native(disk.clone());
    let log = s.events().open("e", &options(Mode::Create)).unwrap();
    for id in [0u64, 5, 2] { log.append_with_id(id, &[id as u8; 20]).unwrap(); }
    let b: Vec<Vec<u8>> = (8..12u8).map(|n| vec![n; 40]).collect();
    let sl: Vec<&[u8]> = b.iter().map(|e| &e[..]).collect();
    log.append_batch_with_ids(8, &sl).unwrap();
    log.delete_range(9, 9).unwrap();
    log.append_with_id(7, &[7; 20]).unwrap();
    log.append_with_id(13, &[13; 20]).unwrap();
    log.close().unwrap();
    let f = disk.file_names().pop().unwrap();
    for fr in s.frames(&f).unwrap() { println!("{fr:?}"); }
    for which in [5u64, 2, 7] {
    let d = disk.fork();
    let s = native(d.clone());
    let fr = s.frames(&f).unwrap().into_iter().find(|x| x.first == which && x.count > 0).unwrap();
    d.flip_bit(&f, (fr.offset + 20) * 8);
    let log = s.events().open("e", &options(Mode::ReadOnly)).unwrap();
    for id in 0..14 { println!("{which} get {id} {:?}", log.get(id).map(|x| x.map(|x| x.len()))); }
    let r = log.iterate(0, None).unwrap();
    for _ in 0..10 { println!("next {:?}", r.next(Limits { count: 100, bytes: 1 << 20 }).map(|x| x.map(|x| x.ids))); }
    }
}
