//! Makes hostile components: the world `annals` with every import and export, and functions of choice.

use std::{collections::HashMap, fmt::Write, path::Path};
use wasmtime::{Engine, ExternType, FuncType, Module, ValType};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// What is hostile about a component, in WebAssembly text. `{create}` and its like are the imports of `annals:storage`,
/// `{random-bytes}` is one of `wasi:random`, `{new-journal}` makes a handle of an exported resource; all are called as the
/// canonical ABI says. A text in quotes and braces becomes pointer and length, `\\00` and its like in it a byte.
#[derive(Clone, Copy, Default)]
pub(crate) struct Evil<'a> {
    /// Rests of functions, by the end of the name of what is exported; all others end at once.
    pub(crate) exports: &'a [(&'a str, &'a str)],
    /// Where the host asks for memory, before it gets some.
    pub(crate) memory: &'a str,
    /// What follows when the host has read an answer.
    pub(crate) after: &'a str,
    /// Further parts of the module.
    pub(crate) parts: &'a str,
}

/// Memory of a hostile module: 0 to 1024 for the answers of imports, from 1024 on for texts, from 8192 on for what the
/// host passes. `$report` makes the answer of `journal.open`: the error `out-of-range` with two numbers.
const COMMON: &str = r#"
  (memory (export "memory") 4)
  (global $free (mut i32) (i32.const 8192))
  (global $grows (mut i32) (i32.const 1))
  (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32) (local $pages i32)
    ;; memory
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
    (global.set $free (i32.add (local.get $at) (local.get 3)))
    (local.set $pages (i32.add (i32.shr_u (global.get $free) (i32.const 16)) (i32.const 1)))
    (if (i32.gt_u (local.get $pages) (memory.size))
      (then (if (i32.eq (memory.grow (i32.sub (local.get $pages) (memory.size))) (i32.const -1))
        (then unreachable))))
    (local.get $at))
  (func $report (param $done i64) (param $refused i64) (result i32)
    (i32.store (i32.const 512) (i32.const 1))
    (i32.store (i32.const 520) (i32.const 6))
    (i64.store (i32.const 528) (local.get $done))
    (i64.store (i32.const 536) (local.get $refused))
    (i32.const 512))
"#;

fn value(ty: &ValType) -> &'static str {
    match ty {
        ValType::I32 => "i32",
        ValType::I64 => "i64",
        ValType::F32 => "f32",
        ValType::F64 => "f64",
        _ => panic!("the canonical ABI uses numbers only"),
    }
}

fn signature(ty: &FuncType) -> String {
    let mut text = String::new();
    for param in ty.params() {
        write!(text, " (param {})", value(&param)).unwrap();
    }
    for result in ty.results() {
        write!(text, " (result {})", value(&result)).unwrap();
    }
    text
}

/// A component whose `journal.open` is `body`: the rest of a function with one parameter that returns `$report`. It may
/// start with further functions before a line `---`.
pub(crate) fn hostile(body: &str) -> Vec<u8> {
    let (parts, body) = body.split_once("---").unwrap_or(("", body));
    evil(Evil { exports: &[(OPEN, body)], parts, ..Evil::default() })
}

/// The function that most attacks take.
pub(crate) const OPEN: &str = "/journal@0.1.0#[static]journal.open";

/// The component that is as it is told.
pub(crate) fn evil(evil: Evil<'_>) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some("annals")).unwrap();
    let abi = ManglingAndAbi::Legacy(wit_parser::LiftLowerAbi::Sync);
    let dummy = Module::new(&Engine::default(), dummy_module(&resolve, world, abi)).unwrap();

    let mut text = String::from("(module\n");
    let mut imports = HashMap::new();
    for (index, import) in dummy.imports().enumerate() {
        let ExternType::Func(ty) = import.ty() else { panic!("only functions are imported") };
        let (module, name) = (import.module(), import.name());
        writeln!(text, "(import {module:?} {name:?} (func $i{index}{}))", signature(&ty)).unwrap();
        let short = name.rsplit(['.', ']']).next().unwrap();
        let short = if name.contains("[resource-drop]") { format!("drop-{short}") } else { short.to_owned() };
        if module.starts_with("annals:storage") {
            imports.insert(if name.contains("list-cells") { "list-cells".into() } else { short }, index);
        } else if module.starts_with("wasi:random") {
            imports.insert(short.replace("get-random", "random"), index);
        } else if let (true, Some(resource)) =
            (module.contains("/journal@"), name.strip_prefix("[resource-new]"))
        {
            imports.insert(format!("new-{resource}"), index);
        }
    }
    let mut data = Vec::new();
    text.push_str(&COMMON.replace(";; memory", &filled(evil.memory, &imports, &mut data)));
    text.push_str(&filled(evil.parts, &imports, &mut data));
    let after = filled(evil.after, &imports, &mut data);
    for export in dummy.exports() {
        let ExternType::Func(ty) = export.ty() else { continue };
        let name = export.name();
        let told = evil.exports.iter().find(|(end, _)| name.ends_with(end));
        let inside = match (name, told) {
            ("cabi_realloc", _) => continue,
            ("_initialize", _) => String::new(),
            (name, _) if name.starts_with("cabi_post_") => after.clone(),
            (_, Some((_, body))) => filled(body, &imports, &mut data),
            _ => "unreachable".into(),
        };
        writeln!(text, "(func (export {name:?}){} {inside})", signature(&ty)).unwrap();
    }
    let data: String = data.iter().map(|byte: &u8| format!("\\{byte:02x}")).collect();
    writeln!(text, "(data (i32.const 1024) \"{data}\"))").unwrap();

    let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

/// Puts in functions and texts.
fn filled(text: &str, imports: &HashMap<String, usize>, data: &mut Vec<u8>) -> String {
    let mut parts = text.split('{');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (hole, rest) = part.split_once('}').expect("a closing brace");
        match hole.strip_prefix('"').and_then(|hole| hole.strip_suffix('"')) {
            Some(name) => {
                let name = name.replace("\\00", "\0");
                write!(filled, "(i32.const {}) (i32.const {})", 1024 + data.len(), name.len()).unwrap();
                data.extend_from_slice(name.as_bytes());
            }
            None => {
                let index = imports.get(hole).unwrap_or_else(|| panic!("no import {hole} in {imports:?}"));
                write!(filled, "$i{index}").unwrap();
            }
        }
        filled.push_str(rest);
    }
    filled
}
