//! x
mod tools;
#[test]
fn b() {
    let d = tools::kept();
    std::fs::create_dir_all(&d).unwrap();
    println!("{:?}", tools::c());
    println!("{:?}", tools::python());
}
