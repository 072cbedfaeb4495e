//! The `strowger` command: configuration faults, flows without a phone, settings.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use strowger_tests::process;

fn strowger(arguments: &[&str]) -> Output {
    Command::new(process::program("strowger").unwrap())
        .args(arguments)
        .output()
        .unwrap()
}

fn flows() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("flows")
}

#[test]
fn every_fault_of_a_configuration_is_told_before_a_port_opens() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("strowger.toml");
    std::fs::write(
        &file,
        "data_dirr = \"/x\"\n[sip]\nudp = [\"nonsense\"]\n[log]\nformat = \"xml\"\n",
    )
    .unwrap();
    for command in [vec!["config", "check"], vec!["serve"]] {
        let mut arguments = command.clone();
        arguments.extend(["--config", file.to_str().unwrap()]);
        let output = strowger(&arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{command:?}");
        for part in ["data_dirr", "did you mean `data_dir`", "sip.udp", "log.format"] {
            assert!(text.contains(part), "{command:?} does not say {part}: {text}");
        }
    }
}

#[test]
fn a_configuration_is_explained_with_where_each_value_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("strowger.toml");
    std::fs::write(&file, "[sip]\nmax_calls = 7\n").unwrap();
    let output = strowger(&["config", "explain", "--config", file.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success());
    assert!(
        text.lines()
            .any(|line| line.contains("sip.max_calls") && line.contains('7') && line.contains("file")),
        "{text}"
    );
}

#[test]
fn the_sample_flows_have_no_findings_and_a_broken_one_has() {
    for entry in std::fs::read_dir(flows()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let output = strowger(&["flow", "check", path.to_str().unwrap()]);
            assert!(
                output.status.success(),
                "{}: {}",
                path.display(),
                String::from_utf8_lossy(&output.stdout)
            );
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.json");
    std::fs::write(&broken, r#"{"nodes":[{"id":"m","type":"menue","data":{}}],"edges":[]}"#).unwrap();
    let output = strowger(&["flow", "check", broken.to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("menu"),
        "the nearest kind of node is named"
    );
}

#[test]
fn a_flow_is_walked_without_a_phone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("menu.json");
    let flow = r#"{"nodes":[
        {"id":"start","type":"start","data":{}},
        {"id":"menu1","type":"menu","data":{"message":"Press 1 for sales.","options":{}}},
        {"id":"dial1","type":"dial","data":{"number":"+1234567890"}}],
      "edges":[
        {"id":"e1","source":"start","target":"menu1"},
        {"id":"e2","source":"menu1","target":"dial1","label":"1"}]}"#;
    std::fs::write(&file, flow).unwrap();
    let output = strowger(&["flow", "test", file.to_str().unwrap(), "--press", "1"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for part in ["start", "menu1", "Press 1 for sales.", "dial1", "+1234567890"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[test]
fn the_platforms_defaults_are_the_documented_ones() {
    let output = strowger(&["settings", "list", "--defaults"]);
    let text = String::from_utf8_lossy(&output.stdout);
    for line in [
        "auto_record_calls = true",
        "auto_transcribe_calls = false",
        "max_call_duration_seconds = 3600",
        "voicemail_retention_days = 30",
    ] {
        assert!(
            text.lines().any(|shown| shown.starts_with(line)),
            "no `{line}` in {text}"
        );
    }
}
