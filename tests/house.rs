//! The laws of the house: layers, sizes, faces, and habits that no lint knows.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Layer 5 is the top. A crate may use crates of a lower layer only.
const LAYERS: &[(&str, u8)] = &[
    ("strowger-daemon", 5),
    ("strowger-worker", 5),
    ("strowger-console", 4),
    ("strowger-api", 4),
    ("strowger-switch", 3),
    ("strowger-rooms", 2),
    ("strowger-access", 2),
    ("strowger-sip", 1),
    ("strowger-media", 1),
    ("strowger-ivr", 1),
    ("strowger-store", 1),
    ("strowger-host", 0),
    ("strowger-model", 0),
];

/// The worker must be able to crash without a call noticing, so it knows nothing of calls. It reads flows
/// (a pure crate) to learn which texts a published version speaks.
const WORKER_MAY_USE: &[&str] = &[
    "strowger-store",
    "strowger-media",
    "strowger-ivr",
    "strowger-model",
    "strowger-host",
];

fn manifests() -> BTreeMap<String, toml::Table> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.push(root().join("workers"));
    folders
        .iter()
        .map(|folder| {
            let table: toml::Table = std::fs::read_to_string(folder.join("Cargo.toml"))
                .unwrap()
                .parse()
                .unwrap();
            (table["package"]["name"].as_str().unwrap().to_owned(), table)
        })
        .collect()
}

#[test]
fn arrows_between_crates_point_down_only() {
    let layers: BTreeMap<&str, u8> = LAYERS.iter().copied().collect();
    let manifests = manifests();
    assert_eq!(
        manifests.len(),
        LAYERS.len(),
        "every crate has a layer: {:?}",
        manifests.keys()
    );
    let mut wrong = Vec::new();
    for (name, manifest) in &manifests {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(section).and_then(|section| section.as_table()) else {
                continue;
            };
            for used in table.keys().filter(|used| used.starts_with("strowger-")) {
                let upward = layers[used.as_str()] >= layers[name.as_str()];
                let foreign = name == "strowger-worker" && !WORKER_MAY_USE.contains(&used.as_str());
                if upward || foreign {
                    wrong.push(format!("{name} -> {used} ({section})"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that do not point down: {wrong:#?}");
}

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, out: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                out.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    let mut out = Vec::new();
    for folder in ["src", "workers", "tests"] {
        walk(&root().join(folder), &mut out);
    }
    out
}

#[test]
fn no_file_has_grown_into_two() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|(_, text)| text.lines().count() > 700)
        .map(|(path, text)| format!("{} has {} lines", path.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "over 700 lines: {long:#?}");
}

#[test]
fn every_room_has_a_face() {
    let bare: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| {
            let name = path.file_name().unwrap();
            (name == "lib.rs" || name == "mod.rs") && !text.starts_with("//!")
        })
        .map(|(path, _)| path)
        .collect();
    assert!(bare.is_empty(), "no `//!` at the top of {bare:#?}");
}

#[test]
fn pure_crates_touch_no_outside() {
    let forbidden = [
        "tokio::",
        "std::net::UdpSocket",
        "std::net::Tcp",
        "std::fs",
        "std::thread",
        "sqlx",
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let shown = path.to_string_lossy().into_owned();
        let pure = ["src/model/", "src/ivr/"]
            .iter()
            .any(|prefix| shown.starts_with(prefix));
        let core = ["src/sip/", "src/media/", "src/switch/", "src/rooms/"]
            .iter()
            .any(|prefix| shown.starts_with(prefix))
            && !shown.contains("/io/")
            && !shown.contains("/tests/")
            && !shown.contains("/examples/");
        if !(pure || core) {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            if !line.trim_start().starts_with("//") && forbidden.iter().any(|word| line.contains(word)) {
                wrong.push(format!("{shown}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "the outside belongs in io/: {wrong:#?}");
}

#[test]
fn nothing_waits_by_sleeping_and_no_lint_is_silenced_without_a_reason() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if path.ends_with("house.rs") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.trim();
            // In the product a lint keeps timers in io/, where a loop waits for an event or a deadline.
            let is_test = path.starts_with("tests") || path.components().any(|part| part.as_os_str() == "tests");
            let sleeps = is_test && (code.contains("thread::sleep(") || code.contains("time::sleep("));
            let silenced = code.starts_with("#[allow(") || code.starts_with("#![allow(");
            let skipped = code.starts_with("#[ignore");
            let unbounded = code.contains("unbounded_channel");
            if !code.starts_with("//") && (sleeps || silenced || skipped || unbounded) {
                wrong.push(format!("{}:{}: {code}", path.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn language_services_are_asked_through_one_door() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let shown = path.to_string_lossy().into_owned();
        let is_code = shown.starts_with("workers/") && !shown.contains("/tests") && !shown.contains("/examples/");
        if !is_code || shown.ends_with("providers/mock.rs") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let connects = ["TcpStream::connect", "reqwest", "hyper::"]
            .iter()
            .any(|word| code.contains(word));
        if connects && shown != "workers/providers/http.rs" {
            wrong.push(format!("{shown} opens a connection of its own"));
        }
        // Only the chain counts what it asks, so only the chain may ask.
        if code.contains("http::post(") && shown != "workers/providers/chain.rs" {
            wrong.push(format!("{shown} asks past the chain"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
